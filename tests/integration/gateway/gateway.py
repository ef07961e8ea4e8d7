"""HAProxy with the configuration of containers and Kubernetes, at ports of its own."""

import os
import re
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from chassis.runtime.clock import now
from launcher.deployment.certificates import new_authority, new_server
from tests.support.servers import ROOT, free_port, missing, program
from tests.support.timing import PATIENCE

CONFIGURATION = (ROOT / "infra" / "gateway" / "haproxy.cfg").read_text()
_SERVERS = re.compile(
    r"^    server-template (\w+) 8 \S+ (.+?) resolvers docker init-addr none$", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Gateway:
    """`address` is the public one, `plain` that for the console."""

    address: str
    plain: str
    authority: Path

    def client(self) -> httpx2.Client:
        context = ssl.create_default_context(cafile=str(self.authority))
        return httpx2.Client(base_url=self.address, verify=context, timeout=PATIENCE, trust_env=False)


@contextmanager
def running(
    folder: Path,
    *,
    requests: int,
    servers: Mapping[str, Sequence[int]] | None = None,
    changes: Mapping[str, str] | None = None,
) -> Iterator[Gateway]:
    """A gateway that accepts so many requests in ten seconds.

    `servers` are the local ports of the replicas of a backend, `changes` other texts of the configuration.
    """
    haproxy = program("haproxy")
    if haproxy is None:
        missing("haproxy", "apt-get install haproxy")
    authority = new_authority(now())
    certificate = new_server(authority, ["127.0.0.1"], now())
    (folder / "gateway.pem").write_text(certificate.certificate + certificate.key)
    (folder / "ca.crt").write_text(authority.certificate)
    ports = {8443: free_port(), 8080: free_port(), 8404: free_port()}
    text = CONFIGURATION.replace("/run/secrets/", f"{folder}/")
    for there, here in ports.items():
        assert f"bind :{there}" in text
        text = text.replace(f"bind :{there}", f"bind 127.0.0.1:{here}")
    for old, new in (changes or {}).items():
        assert old in text
        text = text.replace(old, new)
    if servers is not None:
        text = _SERVERS.sub(
            lambda found: "\n".join(
                f"    server {found[1]}{port} 127.0.0.1:{port} {found[2]}"
                for port in servers.get(found[1], ())
            ),
            text,
        )
    (folder / "haproxy.cfg").write_text(text)
    variables = {
        "REGCRED_REQUESTS_PER_10_SECONDS": str(requests),
        "REGCRED_LOAD_BALANCERS": "255.255.255.255",
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [haproxy, "-db", "-f", folder / "haproxy.cfg"],
            env={**os.environ, **variables},
            stdout=log,
            stderr=log,
        )
    made = Gateway(f"https://127.0.0.1:{ports[8443]}", f"http://127.0.0.1:{ports[8080]}", folder / "ca.crt")
    try:
        _wait(made, folder / "log")
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
