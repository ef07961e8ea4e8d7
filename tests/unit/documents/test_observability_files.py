"""Alerts and dashboard use only existing metrics, labels and consumers."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import REGISTRY
from prometheus_client.registry import Collector

from chassis.observability import metrics
from chassis.observability.exposition import BuildInfo
from contracts.verdicts import VerificationCode
from eventlog.storage import DatabaseMetrics
from tests.support.servers import ROOT

FOLDER = ROOT / "infra" / "observability"
OURS = "http|es|relay|projection|verification|verifications|secret_store|db_pool|regcred"
NAME = re.compile(rf"\b(?:{OURS})_[a-z_]+\b(?!-)")
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}
LABELS = {
    "method",
    "route",
    "status",
    "status_class",
    "consumer",
    "provider",
    "outcome",
    "store",
    "operation",
} | {
    "kind",
    "pool",
    "version",
    "python",
    "le",
}


class Answering(DatabaseMetrics):
    """Metrics of a database that is always available."""

    def _read(self) -> list[tuple[Any, ...]]:
        return [(1, 1, 0.0, 0.0, "projector", 1, 0, 0.0, 0, 0)]


def names() -> set[str]:
    collectors: list[Collector] = [Answering("", role="", publishing=True), BuildInfo()]
    families = [family for collector in collectors for family in collector.collect()]
    families += [family for family in REGISTRY.collect() if re.match(OURS, family.name)]
    return {family.name + suffix for family in families for suffix in SUFFIXES[family.type]}


def expressions() -> Iterator[str]:
    dashboard = json.loads((FOLDER / "dashboard.json").read_text())
    for panel in dashboard["panels"]:
        assert panel["targets"], panel["title"]
        for target in panel["targets"]:
            yield target["expr"]
    rules = "".join((FOLDER / name).read_text() for name in ("alerts.yml", "alerts-services.yml"))
    found = re.findall(r"expr: (?:\|\n((?: {10}.*\n)+)|(.*)\n)", rules)
    assert len(found) == rules.count("- alert:")
    for block, line in found:
        yield block or line


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_every_expression_uses_existing_metrics_and_labels(expression: str) -> None:
    used = set(NAME.findall(expression)) - LABELS
    assert used or expression.strip().startswith(("up{", "absent(up{"))
    assert used <= names()
    for grouped in re.findall(r"by \(([a-z_, ]+)\)", expression):
        assert set(grouped.split(", ")) <= LABELS
    for label, value in re.findall(r'([a-z_]+)!?=~?"([^"]*)"', expression):
        if label == "outcome":
            assert value == "verified"
        elif label == "kind":
            assert value == "unavailable"
        else:
            assert label in LABELS | {"job", "service"}


def test_every_metric_is_on_the_dashboard() -> None:
    shown = " ".join(expressions())
    for name in names():
        assert re.sub(r"_(bucket|count|sum|total)$", "", name) in shown, name


@pytest.mark.parametrize(
    "alert",
    [
        "Lags",
        "HorizonStalled",
        "Parked",
        "RelayNotPublishing",
        "SecretStoreDown",
        "VerificationsFail",
        "ServerErrors",
    ],
)
def test_every_alert_is_documented(alert: str) -> None:
    rules = (FOLDER / "alerts.yml").read_text()
    [name] = re.findall(rf"- alert: (\w*{alert}\w*)", rules)
    assert f"`{name}`" in (ROOT / "docs" / "observability.md").read_text()


def test_every_metric_is_documented() -> None:
    page = (ROOT / "docs" / "observability.md").read_text()
    for name in names():
        assert re.sub(r"_(bucket|count|sum)$", "", name) in page, name


def test_every_metric_has_only_bounded_labels() -> None:
    for family in REGISTRY.collect():
        if re.match(OURS, family.name):
            for sample in family.samples:
                assert set(sample.labels) <= LABELS
    metrics.VERIFICATIONS.labels("github", VerificationCode.EXPIRED).inc()
    assert REGISTRY.get_sample_value("verifications_total", {"provider": "github", "outcome": "expired"}) == 1
