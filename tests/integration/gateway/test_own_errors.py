"""Every error that the gateway itself makes is a problem document (see also `tests/containers/test_gateway_errors.py`)."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import httpx2
import pytest

from tests.integration.gateway.gateway import CONFIGURATION, running
from tests.support.servers import ROOT
from tests.support.timing import waiting

SHORTER = {"timeout server 65s": "timeout server 1s"}


def problem_of(response: httpx2.Response) -> dict[str, Any]:
    """The problem document of an error of the gateway."""
    assert response.headers["Content-Type"] == "application/problem+json", response.text
    found: dict[str, Any] = response.json()
    assert found["status"] == response.status_code
    assert found["code"]
    assert found["detail"]
    return found


@contextmanager
def replica(reply: bytes | None) -> Iterator[int]:
    """A replica that is healthy. It answers a command with `reply`, and ends the connection without one if it is empty.

    With `None` it keeps silent.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    kept: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            if connection.recv(65536).startswith(b"GET /healthz"):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            elif reply is None:
                kept.append(connection)
                continue
            else:
                connection.sendall(reply)
            connection.close()

    Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in kept:
            connection.close()


@pytest.mark.parametrize(
    ("reply", "status"),
    [(b"", 502), (b"not HTTP\r\n\r\n", 502), (None, 504)],
    ids=["none", "invalid", "silent"],
)
def test_a_replica_that_does_not_answer_is_a_problem(
    tmp_path: Path, reply: bytes | None, status: int
) -> None:
    with (
        replica(reply) as port,
        running(tmp_path, requests=1000, servers={"credentials": [port]}, changes=SHORTER) as gateway,
        gateway.client() as client,
    ):

        def answer() -> list[httpx2.Response]:
            response = client.post("/v1/accounts/acme/credentials", json={})
            return [] if response.status_code == 503 else [response]  # until the first health check

        [response] = waiting(answer, "the replica is healthy")
    assert response.status_code == status
    assert problem_of(response)["code"] == "unavailable"
    assert int(response.headers["Retry-After"]) > 0


def test_both_configurations_have_the_same_errors() -> None:
    def errors(text: str) -> list[str]:
        return [line for line in text.splitlines() if "http-error" in line or "http-request return" in line]

    other = (ROOT / "infra" / "kubernetes" / "base" / "haproxy.cfg").read_text()
    assert errors(CONFIGURATION) == errors(other)
    assert len(errors(CONFIGURATION)) >= 14
