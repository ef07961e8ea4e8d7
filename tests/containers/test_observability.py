"""The profile `observability`: every replica is scraped, every rule and every panel can be evaluated."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.support.compose import Deployment
from tests.support.load import Load, Target
from tests.support.servers import ROOT
from tests.support.timing import waiting

FOLDER = ROOT / "infra" / "observability"
ONE_EACH = dict.fromkeys(("credentials", "queries", "registries", "relay", "verifier", "projector"), 1)


class Prometheus:
    """Its HTTP interface."""

    def __init__(self, address: str) -> None:
        self._client = httpx2.Client(base_url=f"{address}/api/v1", trust_env=False)

    def ask(self, path: str, **parameters: str) -> Any:
        try:
            answer = self._client.get(path, params=parameters)
        except httpx2.TransportError:
            return {}
        return answer.json().get("data") or pytest.fail(answer.text)

    def up(self) -> dict[str, int]:
        """How many replicas of each service answer."""
        found = self.ask("/query", query='up{job=~"regcred-.*"} == 1').get("result", [])
        return dict(Counter(series["metric"]["service"] for series in found))

    def close(self) -> None:
        self._client.close()


@pytest.fixture(scope="module")
def prometheus(deployment: Deployment) -> Iterator[Prometheus]:
    deployment.compose("--profile", "observability", "up", "--detach", "--no-build", "prometheus")
    asking = Prometheus(f"http://127.0.0.1:{deployment.prometheus_port}")
    yield asking
    asking.close()
    deployment.compose("--profile", "observability", "rm", "--stop", "--force", "prometheus")


def test_prometheus_accepts_its_configuration_and_rules(
    deployment: Deployment, prometheus: Prometheus
) -> None:
    deployment.inside("prometheus", "promtool", "check", "config", "/etc/regcred/prometheus.yml")
    deployment.inside("prometheus", "promtool", "test", "rules", "/etc/regcred/alerts-test.yml")


def test_every_replica_is_scraped_and_no_alert_fires(deployment: Deployment, prometheus: Prometheus) -> None:
    waiting(lambda: prometheus.up() == ONE_EACH, "each service answers")
    deployment.compose(
        "up", "--detach", "--no-build", "--no-recreate", "--scale=verifier=3", "--scale=queries=2"
    )
    scaled = {**ONE_EACH, "verifier": 3, "queries": 2}
    waiting(lambda: prometheus.up() == scaled, "each replica answers")
    groups = prometheus.ask("/rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) > 10
    assert {rule["health"] for rule in rules} == {"ok"}
    assert [rule["name"] for rule in rules if rule["state"] == "firing"] == []
    deployment.compose("up", "--detach", "--no-build", "--scale=verifier=1", "--scale=queries=1")
    waiting(lambda: prometheus.up() == ONE_EACH, "those that are gone are no targets")


def test_every_panel_has_data(deployment: Deployment, prometheus: Prometheus, target: Target) -> None:
    with Load(target, "panels"):
        pass
    dashboard = json.loads((FOLDER / "dashboard.json").read_text())
    expressions = {target["expr"] for panel in dashboard["panels"] for target in panel["targets"]}

    def empty() -> set[str]:
        return {
            text
            for text in expressions
            if not prometheus.ask("/query", query=text.replace("$__rate_interval", "1m"))["result"]
        }

    # A panel of failures has no data before the first failure.
    failures = {text for text in expressions if "errors" in text or "conflicts" in text or "5.." in text}
    assert len(expressions) > len(failures) + 10
    waiting(lambda: empty() <= failures, f"panels have something: {sorted(empty() - failures)}")
