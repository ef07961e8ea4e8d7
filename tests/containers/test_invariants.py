"""`docs/architecture.md`, "What must hold", through the gateway, with several replicas of each service."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import httpx2
import pytest

from tests.containers.conftest import PASSWORD, SILENT, USER
from tests.support.compose import REGISTRY, Deployment, docker_logs
from tests.support.load import everything
from tests.support.system import add_body
from tests.support.timing import waiting

_numbers = count(1)
SCALE = ("--scale=credentials=3", "--scale=queries=2", "--scale=verifier=2")


@pytest.fixture(scope="module")
def client(deployment: Deployment) -> Iterator[httpx2.Client]:
    deployment.compose("up", "--detach", "--no-build", "--no-recreate", *SCALE)
    with deployment.client() as client:
        for service, count in (("credentials", 3), ("queries", 2)):
            waiting(
                lambda service=service, count=count: replicas_reached(deployment, client, service) == count,  # type: ignore[misc]
                f"the gateway sends requests to {count} replicas of {service}",
            )
        yield client
    deployment.compose("up", "--detach", "--no-build", *(part[:-1] + "1" for part in SCALE))


def replicas_reached(deployment: Deployment, client: httpx2.Client, service: str) -> int:
    """Send a request for this service to the gateway; the number of replicas that have logged one of these requests."""
    request_id = f"reach-{service}"
    account = "/v1/accounts/reach/credentials"  # reads are for `queries`, commands for `credentials`
    client.request("GET" if service == "queries" else "POST", account, headers={"X-Request-Id": request_id})
    return sum(request_id in docker_logs(each["Id"]) for each in deployment.containers(service))


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


def test_a_restricted_or_removed_credential_is_no_longer_issued(
    deployment: Deployment, client: httpx2.Client, account: str
) -> None:
    """Concurrent callers ask every replica; a request that begins after the response is refused."""
    base = f"/v1/accounts/{account}/credentials"
    made = client.post(base, json=add_body("team", REGISTRY, USER, PASSWORD))
    assert made.status_code == 201, made.text
    credential = f"{base}/{made.json()['id']}"
    stop = threading.Event()
    seen: list[tuple[float, int]] = []

    def keep_asking(_number: int) -> None:
        with deployment.client() as mine:
            while not stop.is_set():
                began = time.monotonic()
                seen.append((began, asked(mine, account).status_code))

    with ThreadPoolExecutor(4) as pool:
        askers = [pool.submit(keep_asking, number) for number in range(4)]
        try:
            waiting(lambda: [status for _, status in seen].count(200) >= 20, "secrets are issued")
            restricted = client.put(
                f"{credential}/restrictions?force=true&reason=test",
                json={"restricted": True, "projects": ["other"]},
                headers={"If-Match": "*"},
            )
            answered = time.monotonic()
            waiting(lambda: sum(began > answered for began, _ in seen) >= 20, "the others go on asking")
        finally:
            stop.set()
        for asker in askers:
            asker.result()
    assert restricted.status_code == 200, restricted.text
    assert {status for began, status in seen if began > answered} == {403}
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
def test_the_verifier_connects_to_no_server_of_the_deployment(
    client: httpx2.Client, account: str, registry: str
) -> None:
    tried = client.post(f"/v1/accounts/{account}/verifications", json=add_body("trial", registry, USER, "x"))
    if tried.status_code == 422:  # an address that cannot be a registry is refused before any login
        return
    assert tried.status_code == 200, tried.text
    said = tried.json()
    assert said["code"] == "blocked_host" or "an address that is not allowed" in said["detail"], said


def test_a_silent_registry_delays_no_other(client: httpx2.Client, account: str) -> None:
    def statuses(of_account: str) -> list[str]:
        items = everything(client, f"/v1/accounts/{of_account}/credentials")
        return [item["verification"]["status"] for item in items]

    silent = f"{account}-silent"
    for number in range(12):
        body = add_body(f"silent-{number}", SILENT, USER, "x")
        assert client.post(f"/v1/accounts/{silent}/credentials", json=body).status_code == 201
    body = add_body("team", REGISTRY, USER, PASSWORD)
    assert client.post(f"/v1/accounts/{account}/credentials", json=body).status_code == 201
    waiting(lambda: statuses(account) == ["verified"], "the other is verified")
    assert "pending" in statuses(silent)


def test_a_refused_request_changes_nothing(client: httpx2.Client, account: str) -> None:
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
