"""A replica that stops behind the gateway: it drains first, so that no request fails."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event

import httpx2
import pytest

from chassis.runtime.health import is_healthy
from tests.integration.gateway.gateway import running
from tests.support.servers import free_port
from tests.support.timing import PATIENCE, waiting

PATH = "/v1/accounts/acme/credentials"
REPLICA = """
import sys, time
from datetime import timedelta
from flask import Flask
from chassis.web.server import serve

def app():
    made = Flask("replica")
    made.add_url_rule("/healthz", "healthz", lambda: "ok")
    made.add_url_rule("/<path:_path>", "slow", slow, methods=["POST"])
    return made

def slow(_path):
    time.sleep(2 if _path.endswith("/slow") else 0.02)
    return "done", 201

serve(app, host="127.0.0.1", port=int(sys.argv[1]), proxies=None, drain=timedelta(seconds=int(sys.argv[2])))
"""


@contextmanager
def replica(port: int, drain_seconds: int) -> Iterator[subprocess.Popen[bytes]]:
    arguments = [sys.executable, "-c", REPLICA, str(port), str(drain_seconds)]
    process = subprocess.Popen(arguments, env=os.environ)
    try:
        waiting(lambda: is_healthy(f"http://127.0.0.1:{port}/healthz"), "the replica is healthy")
        yield process
    finally:
        process.kill()
        process.wait(PATIENCE)


@pytest.mark.parametrize("replicas", [1, 2])
def test_no_request_fails_while_a_replica_stops(tmp_path: Path, replicas: int) -> None:
    """Three writers, one of them slow, while a replica gets SIGTERM.

    If it is the only one, the gateway refuses further requests with 503.
    """
    ports = [free_port() for _ in range(replicas)]
    stop = Event()
    statuses: list[int] = []
    with ExitStack() as stack:
        first, *_ = [stack.enter_context(replica(port, drain_seconds=5)) for port in ports]
        gateway = stack.enter_context(running(tmp_path, requests=100_000, servers={"credentials": ports}))

        def write(path: str) -> None:
            with gateway.client() as client:
                while not stop.is_set():
                    statuses.append(client.post(path).status_code)

        with gateway.client() as client:
            waiting(lambda: client.post(PATH).status_code == 201, "the gateway has found a replica")
        with ThreadPoolExecutor() as pool:
            writers = [pool.submit(write, path) for path in (PATH, PATH, f"{PATH}/slow")]
            try:
                waiting(lambda: len(statuses) >= 50, "the writers write")
                first.send_signal(signal.SIGTERM)
                assert first.wait(PATIENCE) == 0
                ended = len(statuses)
                waiting(lambda: len(statuses) >= ended + 50, "they go on")
            finally:
                stop.set()
            for writer in writers:
                writer.result()
    assert set(statuses) == ({201} if replicas > 1 else {201, 503})


@pytest.fixture
def draining() -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A replica that drains longer than the test, and its address."""
    port = free_port()
    with replica(port, drain_seconds=300) as process:
        process.send_signal(signal.SIGTERM)
        address = f"http://127.0.0.1:{port}"
        waiting(lambda: not is_healthy(f"{address}/healthz"), "it is not ready")
        yield process, address


def test_a_replica_that_drains_handles_requests(draining: tuple[subprocess.Popen[bytes], str]) -> None:
    process, address = draining
    with httpx2.Client(base_url=address, timeout=PATIENCE, trust_env=False) as client:
        probes = [client.get(path) for path in ("/healthz", "/readyz")]
        assert client.post(PATH).status_code == 201
    for probe in probes:
        assert (probe.status_code, probe.headers["Content-Type"]) == (503, "application/problem+json")
    assert process.poll() is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_another_signal_ends_the_drain(
    draining: tuple[subprocess.Popen[bytes], str], number: signal.Signals
) -> None:
    process, _ = draining
    process.send_signal(signal.SIGTERM)  # a process manager may repeat it; it changes nothing
    process.send_signal(number)
    assert process.wait(PATIENCE) == 0
