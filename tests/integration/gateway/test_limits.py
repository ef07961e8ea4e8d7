"""The gateway's limits, by HAProxy with the configuration of containers and Kubernetes: the requests of an address, the
size of a body, and routes that are not public. No service is behind it: its response to an accepted request is 503.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.integration.gateway.gateway import Gateway, running
from tests.support.timing import PATIENCE, waiting

ALLOWED = 30


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    with running(tmp_path, requests=ALLOWED) as made:
        yield made


def test_too_many_requests_of_an_address_are_refused(gateway: Gateway) -> None:
    with gateway.client() as client:
        first = [client.get("/v1/providers").status_code for _ in range(ALLOWED - 1)]
        assert set(first) == {503}  # the request that waited for the start counts too

        def refusal() -> list[httpx2.Response]:
            response = client.get("/v1/providers")
            return [response] if response.status_code == 429 else []

        [refused] = waiting(refusal, "an address has made too many requests in ten seconds")
        claimed = client.get("/v1/providers", headers={"X-Forwarded-For": "203.0.113.7"})
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.json()["code"] == "too_many_requests"
    assert claimed.status_code == 429  # a claimed address does not count


def test_a_body_that_is_too_large_is_refused_before_it_is_read(gateway: Gateway) -> None:
    with gateway.client() as client:
        answer = client.post("/v1/accounts/acme/credentials", content=b"x" * (1024 * 1024 + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_metrics_are_not_served(gateway: Gateway) -> None:
    with gateway.client() as client:
        assert client.get("/metrics").status_code == 404


def test_a_service_without_servers_is_a_problem_with_retry_after(gateway: Gateway) -> None:
    with gateway.client() as client:
        answer = client.get("/v1/providers")
    assert answer.status_code == 503
    assert json.loads(answer.text)["code"] == "unavailable"
    assert answer.headers["Retry-After"]


def test_old_versions_of_tls_are_refused(gateway: Gateway) -> None:
    host, _, port = gateway.address.removeprefix("https://").partition(":")
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"{host}:{port}", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
        input=b"",
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode != 0
    assert b"Cipher is (NONE)" in done.stdout
