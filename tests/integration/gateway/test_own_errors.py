"""Every error that the gateway itself makes is a problem document."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import httpx2
import pytest

from tests.integration.gateway.gateway import CONFIGURATION, Gateway, running
from tests.support.servers import ROOT
from tests.support.timing import PATIENCE, waiting

BROKEN_REQUESTS = {
    "an invalid header": (400, b"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n"),
    "two lengths": (400, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
    "an unknown version": (400, b"GET / HTTP/9.9\r\nHost: a\r\n\r\n"),
    "headers that are too large": (400, b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 40_000 + b"\r\n\r\n"),
    "a request that does not end": (408, b"GET / HTTP/1.1\r\nHost: a\r\n"),
}
SHORTER = {"timeout http-request 10s": "timeout http-request 1s", "timeout server 65s": "timeout server 1s"}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running(tmp_path_factory.mktemp("gateway"), requests=1000, changes=SHORTER) as made:
        yield made


def problem_of(response: httpx2.Response) -> dict[str, Any]:
    """The problem document of an error of the gateway."""
    assert response.headers["Content-Type"] == "application/problem+json", response.text
    found: dict[str, Any] = response.json()
    assert found["status"] == response.status_code
    assert found["code"]
    assert found["detail"]
    return found


@pytest.mark.parametrize("name", BROKEN_REQUESTS)
def test_a_request_that_cannot_be_read_gets_a_problem(gateway: Gateway, name: str) -> None:
    status, sent = BROKEN_REQUESTS[name]
    host, _, port = gateway.address.removeprefix("https://").partition(":")
    context = ssl.create_default_context(cafile=str(gateway.authority))
    with (
        socket.create_connection((host, int(port)), PATIENCE) as plain,
        context.wrap_socket(plain, server_hostname=host) as connection,
    ):
        connection.sendall(sent)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    found = problem_of(httpx2.Response(status, headers=_headers(head), content=body))
    assert head.startswith(f"HTTP/1.1 {status}".encode())
    assert found["status"] == status


def _headers(head: bytes) -> list[tuple[str, str]]:
    lines = head.decode().split("\r\n")[1:]
    return [(name, value) for name, _, value in (line.partition(": ") for line in lines)]


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

        def answer() -> httpx2.Response | None:
            response = client.post("/v1/accounts/acme/credentials", json={})
            return None if response.status_code == 503 else response  # until the first health check

        response = waiting(answer, "the replica is healthy")
    assert response.status_code == status
    assert problem_of(response)["code"] == "unavailable"
    assert int(response.headers["Retry-After"]) > 0


def test_both_configurations_have_the_same_errors() -> None:
    def errors(text: str) -> list[str]:
        return [line for line in text.splitlines() if "http-error" in line or "http-request return" in line]

    other = (ROOT / "infra" / "kubernetes" / "base" / "haproxy.cfg").read_text()
    assert errors(CONFIGURATION) == errors(other)
    assert len(errors(CONFIGURATION)) >= 14
