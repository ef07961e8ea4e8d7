"""The gateway's limits, by HAProxy with the configuration of containers and Kubernetes: the requests of an address, the
size of a body, and routes that are not public. No service is behind it: its response to an accepted request is 503.
"""

import json
import os
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from chassis.runtime.clock import now
from launcher.deployment.certificates import new_authority, new_server
from tests.support.servers import ROOT, free_port, missing, program
from tests.support.timing import PATIENCE, waiting

ALLOWED = 30
CONFIGURATION = (ROOT / "infra" / "gateway" / "haproxy.cfg").read_text()


@dataclass(frozen=True, slots=True)
class Gateway:
    address: str
    authority: Path

    def client(self) -> httpx2.Client:
        context = ssl.create_default_context(cafile=str(self.authority))
        return httpx2.Client(base_url=self.address, verify=context, timeout=PATIENCE, trust_env=False)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    haproxy = program("haproxy")
    if haproxy is None:
        missing("haproxy", "apt-get install haproxy")
    authority = new_authority(now())
    certificate = new_server(authority, ["127.0.0.1"], now())
    (tmp_path / "gateway.pem").write_text(certificate.certificate + certificate.key)
    (tmp_path / "ca.crt").write_text(authority.certificate)
    port = free_port()
    text = CONFIGURATION.replace("/run/secrets/", f"{tmp_path}/")
    for there, here in ((8443, port), (8080, free_port()), (8404, free_port())):
        assert f"bind :{there}" in text
        text = text.replace(f"bind :{there}", f"bind 127.0.0.1:{here}")
    (tmp_path / "haproxy.cfg").write_text(text)
    variables = {"REGCRED_REQUESTS_PER_10_SECONDS": str(ALLOWED), "REGCRED_LOAD_BALANCERS": "255.255.255.255"}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [haproxy, "-db", "-f", tmp_path / "haproxy.cfg"],
            env={**os.environ, **variables},
            stdout=log,
            stderr=log,
        )
    made = Gateway(f"https://127.0.0.1:{port}", tmp_path / "ca.crt")
    try:
        _wait(made, tmp_path / "log")
        yield made
    finally:
        process.kill()
        process.wait(PATIENCE)


def _wait(gateway: Gateway, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    with gateway.client() as client:
        while True:
            try:
                client.get("/metrics")
            except httpx2.TransportError:
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            else:
                return


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
