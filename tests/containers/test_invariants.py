"""`docs/architecture.md`, "What must hold", through the gateway, with several replicas of each service."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import httpx2
import pytest

from tests.containers.conftest import PASSWORD, SILENT, USER
from tests.support.compose import REGISTRY, Deployment
from tests.support.load import everything
from tests.support.system import add_body
from tests.support.timing import waiting

_numbers = count(1)
SCALE = ("--scale=credentials=3", "--scale=queries=2", "--scale=verifier=2")


@pytest.fixture(scope="module")
def client(deployment: Deployment) -> Iterator[httpx2.Client]:
    deployment.compose("up", "--detach", "--no-build", "--no-recreate", *SCALE)
    waiting(lambda: len(deployment.containers("credentials")) == 3, "there are three")
    time.sleep(3)  # the gateway asks for names every second, and for health
    with deployment.client() as client:
        yield client
    deployment.compose("up", "--detach", "--no-build", *(part[:-1] + "1" for part in SCALE))


@pytest.fixture
def account() -> str:
    return f"invariants-{next(_numbers)}"


def asked(client: httpx2.Client, account: str, project: str = "shop") -> httpx2.Response:
    body = {
        "images": [f"{REGISTRY}/team/app:1"],
        "project_id": project,
        "workload": {"kind": "deployment", "name": "web"},
        "format": "docker_config",
    }
    return client.post(f"/v1/accounts/{account}/pull-secrets", json=body)


def test_what_was_restricted_or_removed_is_given_out_no_more(
    deployment: Deployment, client: httpx2.Client, account: str
) -> None:
    """Others ask all the time, at every replica; whoever asks after the answer gets nothing."""
    base = f"/v1/accounts/{account}/credentials"
    made = client.post(base, json=add_body("team", REGISTRY, USER, PASSWORD))
    assert made.status_code == 201, made.text
    credential = f"{base}/{made.json()['id']}"
    stop = threading.Event()

    def keep_asking(_number: int) -> list[tuple[float, int]]:
        seen = []
        with deployment.client() as mine:
            while not stop.is_set():
                began = time.monotonic()
                seen.append((began, asked(mine, account).status_code))
        return seen

    with ThreadPoolExecutor(4) as pool:
        askers = [pool.submit(keep_asking, number) for number in range(4)]
        time.sleep(1)
        restricted = client.put(
            f"{credential}/restrictions",
            json={"restricted": True, "projects": ["other"]},
            headers={"If-Match": "*"},
        )
        answered = time.monotonic()
        time.sleep(1)
        stop.set()
        seen = [one for asker in askers for one in asker.result()]
    assert restricted.status_code == 200, restricted.text
    assert {status for began, status in seen if began < answered} >= {200}
    after = {status for began, status in seen if began > answered}
    assert after == {403}
    assert asked(client, account, project="other").status_code == 200
    assert client.delete(f"{credential}?force=true&reason=test", headers={"If-Match": "*"}).status_code == 204
    assert asked(client, account, project="other").status_code == 404

    def recorded() -> dict[str, int]:
        trail = everything(client, f"/v1/accounts/{account}/audit-events")
        kinds = ("secret.issued", "secret.refused")
        return {kind: sum(event["action"] == kind for event in trail) for kind in kinds}

    given = sum(status == 200 for _, status in seen) + 1
    refused = sum(status != 200 for _, status in seen) + 1
    waiting(
        lambda: recorded() == {"secret.issued": given, "secret.refused": refused}, "all of it is recorded"
    )


@pytest.mark.parametrize(
    "registry",
    ["postgres:5432", "vault:8200", "rabbitmq:5671", "gateway:8443", "169.254.169.254", "127.0.0.1:8080"],
)
def test_the_verifier_reaches_nothing_of_the_deployment(
    client: httpx2.Client, account: str, registry: str
) -> None:
    tried = client.post(f"/v1/accounts/{account}/verifications", json=add_body("trial", registry, USER, "x"))
    if tried.status_code == 422:  # what can be no registry is not even tried
        return
    assert tried.status_code == 200, tried.text
    said = tried.json()
    assert said["code"] == "blocked_host" or "no address that regcred may connect to" in said["detail"], said


def test_a_registry_that_says_nothing_slows_nobody_else(client: httpx2.Client, account: str) -> None:
    def verified(item: dict[str, Any]) -> bool:
        path = f"/v1/accounts/{account}/credentials/{item['id']}"
        return bool(client.get(path).json().get("verification", {}).get("status") == "verified")

    silent = f"{account}-silent"
    for number in range(12):
        body = add_body(f"silent-{number}", SILENT, USER, "x")
        assert client.post(f"/v1/accounts/{silent}/credentials", json=body).status_code == 201
    began = time.monotonic()
    made = client.post(f"/v1/accounts/{account}/credentials", json=add_body("team", REGISTRY, USER, PASSWORD))
    waiting(lambda: verified(made.json()), "the other is verified")
    assert time.monotonic() - began < 5


def test_bad_input_leaves_nothing(client: httpx2.Client, account: str) -> None:
    base = f"/v1/accounts/{account}/credentials"
    good = add_body("team", REGISTRY, USER, PASSWORD)
    wrong = [
        {**good, "name": "1"},
        {**good, "unknown": 1},
        {**good, "registry_url": "not a host"},
        {**good, "credential": {"kind": "username_password", "username": "x"}},
        {**good, "restrictions": {"restricted": True, "projects": ["a b"]}},
    ]
    for body in wrong:
        refused = client.post(base, json=body)
        assert refused.status_code == 422, refused.text
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert refused.json()["errors"]
        assert PASSWORD not in refused.text
    assert client.get(base).json()["items"] == []
    trail = client.get(f"/v1/accounts/{account}/audit-events").json()["items"]
    assert [event for event in trail if event["action"] != "audit.read"] == []
