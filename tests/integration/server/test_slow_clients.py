"""Clients that send or read slowly, or not at all, hold up nobody: no thread waits for them."""

from collections.abc import Iterator

import httpx2
import pytest

from tests.integration.server.program import connections, serving

MANY = 30  # more than the server has threads
HEAD = b"POST /sum HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n"
CLIENT_SECONDS = 10.0


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving() as made:
        yield made


def answered(port: int) -> list[int]:
    """The statuses of the requests of another client."""
    with httpx2.Client(
        base_url=f"http://127.0.0.1:{port}", timeout=CLIENT_SECONDS, trust_env=False
    ) as client:
        return [
            client.get("/healthz").status_code,
            client.get("/readyz").status_code,
            client.post("/sum", content=b"1234").status_code,
        ]


@pytest.mark.parametrize(
    ("sent", "receive_buffer"),
    [
        (b"", None),
        (b"GET /healthz HTT", None),
        (b"GET /healthz HTTP/1.1\r\nHost: h\r\n", None),
        (HEAD + b"\r\n123", None),
        (b"POST /sum HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12", None),
        (HEAD + b"Expect: 100-continue\r\n\r\n", None),
        (b"GET /large HTTP/1.1\r\nHost: h\r\n\r\n", 4096),
        (b"GET /large HTTP/1.1\r\nHost: h\r\n\r\n" * 10, 4096),
    ],
    ids=["nothing", "line", "head", "body", "chunk", "expectation", "response", "responses"],
)
def test_slow_clients_hold_up_nobody(port: int, sent: bytes, receive_buffer: int | None) -> None:
    with connections(port, MANY, sent, receive_buffer=receive_buffer):
        assert answered(port) == [200, 200, 200]
