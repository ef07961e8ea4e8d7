"""Clients that send slowly through the gateway, and one that opens more connections than it may."""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import pytest

from tests.integration.gateway.gateway import Gateway, running
from tests.integration.server.program import response, serving
from tests.support.timing import PATIENCE, waiting

MANY = 30
HEAD = b"POST /healthz HTTP/1.1\r\nHost: h\r\nContent-Length: 500000\r\n"
LIMITS = {
    "sc_conn_cur(1) gt 200": "sc_conn_cur(1) gt 40",
    "sc_conn_cur(0) gt 100": f"sc_conn_cur(0) gt {MANY}",
    "timeout http-request 10s": "timeout http-request 2s",
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    with (
        serving() as port,
        running(folder, requests=100_000, servers={"credentials": [port]}, changes=LIMITS) as made,
    ):
        with made.client() as client:
            waiting(lambda: client.get("/healthz").status_code == 200, "the replica is healthy")
        yield made


@contextmanager
def senders(gateway: Gateway, number: int, sent: bytes) -> Iterator[list[ssl.SSLSocket]]:
    parts = urlsplit(gateway.address)
    context = ssl.create_default_context(cafile=str(gateway.authority))
    with ExitStack() as stack:
        made = []
        for _ in range(number):
            plain = stack.enter_context(socket.create_connection((parts.hostname, parts.port), PATIENCE))
            made.append(stack.enter_context(context.wrap_socket(plain, server_hostname="127.0.0.1")))
            made[-1].sendall(sent)
        yield made


@pytest.mark.parametrize(
    "sent",
    [b"POST /healthz HTTP", HEAD, HEAD + b"\r\n1", HEAD + b"\r\n" + b"x" * 100_000],
    ids=["line", "head", "start of the body", "large part of the body"],
)
def test_slow_clients_hold_up_nobody(gateway: Gateway, sent: bytes) -> None:
    with senders(gateway, MANY - 1, sent), gateway.client() as client:
        deadline = time.monotonic() + 3  # two failed health checks of the gateway
        while time.monotonic() < deadline:
            assert client.get("/healthz", timeout=10).status_code == 200


def test_a_body_that_arrives_byte_by_byte_is_refused(gateway: Gateway) -> None:
    with senders(gateway, 1, HEAD + b"\r\n") as [connection]:
        head, body = b"", b""
        connection.settimeout(0.1)
        deadline = time.monotonic() + PATIENCE
        while not head and time.monotonic() < deadline:
            connection.sendall(b"x")
            try:
                head = connection.recv(1)
            except TimeoutError:
                continue
        connection.settimeout(PATIENCE)
        rest, body = response(connection)
    assert b" 408 Request Time" in head + rest
    assert b"application/problem+json" in rest
    assert b'"code":"request_timeout"' in body


def test_an_address_has_a_limited_number_of_connections(gateway: Gateway) -> None:
    with senders(gateway, MANY, b""), pytest.raises(OSError), senders(gateway, MANY, b""):
        pass
    with gateway.client() as client:
        assert client.get("/healthz").status_code == 200


def test_an_address_has_a_limited_number_of_requests_in_progress(gateway: Gateway) -> None:
    request = b"GET /v1/service-tokens?seconds=60 HTTP/1.1\r\nHost: h\r\n\r\n"
    with senders(gateway, MANY, request), gateway.client() as client:
        refused = waiting(
            lambda: [one for one in [client.get("/healthz")] if one.status_code != 200],
            "a request is refused",
        )
    [answer] = refused
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_at_once")
    assert int(answer.headers["Retry-After"]) > 0
