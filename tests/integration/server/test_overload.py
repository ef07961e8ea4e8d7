"""More connections, bytes and requests than a process has room for."""

import socket
from collections.abc import Iterator

import httpx2
import pytest

from chassis.runtime.health import is_healthy
from tests.integration.server.program import connections, serving
from tests.support.timing import waiting

CLIENT_SECONDS = 10.0
HALF = b"POST /sum HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n"


def client(port: int) -> httpx2.Client:
    return httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=CLIENT_SECONDS, trust_env=False)


def is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


def test_health_checks_do_not_wait_for_requests() -> None:
    busy = b"GET /sleep HTTP/1.1\r\nHost: h\r\n\r\n"
    with serving("threads=2, queued=3") as port, connections(port, 5, busy), client(port) as other:
        for path in ("/healthz", "/readyz"):
            assert other.get(path).status_code == 200
        refused = other.get("/sleep")
    assert refused.status_code == 503
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.json()["code"] == "overloaded"
    assert int(refused.headers["Retry-After"]) > 0


def test_many_requests_of_one_caller_leave_threads_to_others() -> None:
    busy = b"GET /sleep HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer greedy\r\n\r\n"
    with (
        serving("threads=2, turns=1, queued_of_caller=6") as port,
        connections(port, 7, busy),
        client(port) as other,
    ):
        refused = other.get("/sleep", headers={"Authorization": "bearer greedy"})
        assert other.get("/a/b", headers={"Authorization": "Bearer other"}).status_code == 200
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_at_once")
    assert int(refused.headers["Retry-After"]) > 0


@pytest.fixture(scope="module")
def small() -> Iterator[int]:
    """A server with room for twenty connections."""
    with serving("connections=20") as made:
        yield made


@pytest.mark.parametrize("sent", [b"", b"GET /healthz", HALF], ids=["nothing", "head", "body"])
def test_the_connection_that_waits_longest_makes_room(small: int, sent: bytes) -> None:
    port = small
    with connections(port, 40, sent) as slow:
        assert is_healthy(f"http://127.0.0.1:{port}/healthz", CLIENT_SECONDS)
        with client(port) as other:
            assert other.post("/sum", content=b"1234").text == "4"
        waiting(lambda: [is_open(one) for one in slow[:20]] == [False] * 20, "the first are closed")


def test_a_request_in_progress_is_not_closed_for_another_connection(small: int) -> None:
    with (
        connections(small, 1, b"GET /sleep?seconds=2 HTTP/1.1\r\nHost: h\r\n\r\n") as [busy],
        connections(small, 40, b"GET /healthz"),
    ):
        assert busy.recv(100).startswith(b"HTTP/1.1 200 OK")


def test_incomplete_requests_take_a_limited_memory() -> None:
    body = b"x" * 900_000
    with serving("held_bytes=4_000_000") as port, connections(port, 10, HALF) as slow:
        for one in slow:
            try:
                one.sendall(body)
            except ConnectionError:
                continue
        waiting(lambda: sum(map(is_open, slow)) <= 4, "few of them are open")
        with client(port) as other:
            assert other.post("/sum", content=body).text == "900000"
