"""Metrics and logs of the running system, in both modes: one /metrics, one line per request, no secret."""

import json
import re
from collections import Counter
from itertools import count
from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.conftest import PASSWORD, USER, Running
from tests.support.rabbitmq import PASSWORDS
from tests.support.read_models import LONGEST_WAIT
from tests.support.system import add_body
from tests.support.timing import PATIENCE, waiting

TRIGGERS = {"credential.added", "credential.secret_rotated", "verification.requested"}
CONSUMERS = ("projector", "verifier", "housekeeping")
_numbers = count(1)


@pytest.fixture
def client(running: Running) -> Any:
    with running.system.client() as client:
        yield client


def scrape(client: httpx2.Client) -> dict[tuple[str, ...], float]:
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def scrape_at_rest(
    client: httpx2.Client, running: Running, *, position: float = 0
) -> dict[tuple[str, ...], float]:
    """The metrics when the log is that long, every consumer is at its end, and nothing is in progress.

    Credentials that other tests left are verified meanwhile, so that one scrape has to show all of it.
    """
    resting: dict[tuple[str, ...], float] = {
        **{("projection_lag_events", consumer): 0 for consumer in CONSUMERS},
        **{("projection_lag_seconds", consumer): 0 for consumer in CONSUMERS},
        ("es_horizon_lag_seconds",): 0,
        ("db_pool_in_use", "regcred_verifier"): 0,
        ("relay_unconfirmed",): 0,
    }

    def read() -> dict[tuple[str, ...], float] | None:
        seen = scrape(client)
        end = seen["es_log_position",]
        done = [seen.get(("projection_position", consumer)) for consumer in CONSUMERS]
        done += [] if running.broker is None else [seen.get(("es_published_position",))]
        rests = end >= position and set(done) == {end} and resting.items() <= seen.items()
        return seen if rests else None

    return waiting(read, "every consumer is at the end of the log") or {}


def lines(running: Running, since: int = 0) -> list[dict[str, Any]]:
    text = running.system.log.read_bytes()[since:].decode()
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def live(client: httpx2.Client, running: Running, request_id: str, *, provider: str = "custom") -> str:
    """Add, verify, rotate, issue and remove a credential; its id."""
    account = f"seen-{next(_numbers)}"
    base = f"/v1/accounts/{account}/credentials"
    added = client.post(
        base,
        json=add_body("seen", running.registry.address, USER, PASSWORD) | {"provider": provider},
        headers={"X-Request-Id": request_id, "Idempotency-Key": "canary-key"},
    )
    assert added.status_code == 201, added.text
    path = f"{base}/{added.json()['id']}"
    waiting(
        lambda: client.get(path).json().get("verification", {}).get("status") == "verified",
        "the first login is accepted",
    )
    verified = client.post(f"{path}/verifications", headers={"Prefer": LONGEST_WAIT})
    assert verified.status_code == 200, verified.text
    secret = {"credential": {"kind": "username_password", "username": USER, "password": f"{PASSWORD}-2"}}
    assert client.put(f"{path}/secret", json=secret, headers={"If-Match": "*"}).status_code == 200
    waiting(
        lambda: client.get(path).json()["verification"]["status"] == "failed", "the wrong secret is refused"
    )
    assert client.get(base, params={"surprise": "canary-query"}).status_code == 422
    pulled = client.post(
        f"/v1/accounts/{account}/pull-secrets",
        json={
            "images": [f"{running.registry.address}/a/b:1"],
            "project_id": "shop",
            "workload": {"kind": "deployment", "name": "storefront"},
        },
    )
    assert pulled.status_code == 200, pulled.text
    removed = client.delete(
        path, params={"force": "true", "reason": "canary-reason"}, headers={"If-Match": "*"}
    )
    assert removed.status_code == 204, removed.text
    return str(added.json()["id"])


def test_one_scrape_shows_every_process_and_lag_returns_to_zero(
    client: httpx2.Client, running: Running
) -> None:
    live(client, running, f"req-metrics-{next(_numbers)}")  # a new consumer has no position yet
    before = scrape_at_rest(client, running)
    live(client, running, f"req-metrics-{next(_numbers)}")
    after = scrape_at_rest(client, running, position=before["es_log_position",] + 8)
    for consumer in CONSUMERS:
        assert after["projection_parked", consumer] == 0
    assert after["es_database_up",] == 1
    assert ("es_published_position" in {name for name, *_ in after}) == (running.broker is not None)

    def more(*key: str) -> float:
        return after[key] - before.get(key, 0)

    store = "vault" if running.vault else "sealed"
    assert more("http_requests_total", "POST", "/v1/accounts/<account_id>/credentials", "201") == 1
    assert more("verifications_total", "verified", "custom") == 2  # counted by the verifier's process
    assert more("verifications_total", "bad_credential", "custom") == 1
    assert more("verification_seconds_count", "custom") >= 3
    assert more("es_append_seconds_count") >= 7  # by the API's and the verifier's
    assert more("secret_store_request_seconds_count", "put", store) == 2
    assert more("secret_store_request_seconds_count", "remove", store) >= 1  # by the relay's
    assert [value for (name, *_), value in after.items() if name == "regcred_build_info"] == [1]


def test_each_login_is_measured_once(client: httpx2.Client, running: Running) -> None:
    """At a provider of its own: other tests kill a verifier, also between its two metrics, and leave dead hosts."""
    live(client, running, f"req-measured-{next(_numbers)}", provider="gitea")
    metrics = scrape_at_rest(client, running)
    outcomes = {
        key[1]: metrics[key] for key in metrics if key[0] == "verifications_total" and key[2] == "gitea"
    }
    assert outcomes == {"verified": 2, "bad_credential": 1}
    assert metrics["verification_seconds_count", "gitea"] == 3


def test_a_scrape_requires_a_token(running: Running) -> None:
    answer = httpx2.get(f"{running.system.address}/metrics", timeout=PATIENCE, trust_env=False)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


def test_no_label_contains_an_account_a_credential_or_a_host(client: httpx2.Client, running: Running) -> None:
    credential_id = live(client, running, f"req-labels-{next(_numbers)}")
    text = client.get("/metrics").text
    for canary in ("seen-", credential_id, running.registry.address, "127.0.0.1", PASSWORD):
        assert canary not in text


def test_every_request_login_and_batch_is_logged(client: httpx2.Client, running: Running) -> None:
    since = len(running.system.log.read_bytes())
    request_id = f"req-life-{next(_numbers)}"
    credential_id = live(client, running, request_id)

    def deliveries() -> list[dict[str, Any]]:
        found = [
            line
            for line in lines(running, since)
            if line.get("consumer") == "verifier"
            and line.get("type") in TRIGGERS
            and line.get("credential_id") == credential_id
        ]
        return sorted(found, key=lambda line: int(line["position"]))  # several logins run at a time

    waiting(lambda: len(deliveries()) >= 3, "three deliveries are logged")
    requests = [line for line in lines(running, since) if line.get("event") == "request"]
    [posted] = [line for line in requests if line["request_id"] == request_id]
    assert (posted["status"], posted["method"], posted["account_id"][:5]) == (201, "POST", "seen-")
    assert max(Counter(line["request_id"] for line in requests).values()) == 1
    # A login at a busy registry may be postponed, and is then logged a second time.
    assert {line["outcome"] for line in deliveries()} <= {"verified", "bad_credential", "postponed"}
    assert deliveries()[0]["request_id"] == request_id
    expected = {"sequencing", "projector"} | (set() if running.broker is None else {"publishing"})

    def batches() -> set[str]:
        return {line["consumer"] for line in lines(running, since) if line.get("event") == "batch"}

    waiting(lambda: batches() >= expected, "the relay and the projector report their batches")
    assert running.broker is not None or "publishing" not in batches()


def test_no_log_line_contains_a_secret_a_body_or_a_query(client: httpx2.Client, running: Running) -> None:
    """The logs of every process at `debug`, since the start of the system."""
    live(client, running, f"req-canary-{next(_numbers)}")
    text = running.system.log.read_text()
    assert '"level":"debug"' in text
    token = (running.system.home / "admin.token").read_text().strip()
    key_file = (running.system.home / "keys.json").read_text()
    secrets = [PASSWORD, token, *re.findall(r'"([A-Za-z0-9+/=_-]{40,})"', key_file)]
    assert len(secrets) >= 3
    if running.vault is not None:
        secret_id = running.vault.secret_id_file("one-machine").read_text().strip()
        secrets += [secret_id, running.vault.root_token, *PASSWORDS.values()]
    for secret in secrets:
        assert secret not in text
    for canary in ("canary-query", "canary-reason", "canary-key"):
        assert canary not in text
    assert "repository_prefixes" not in text  # of a body
    assert "surprise" not in text
