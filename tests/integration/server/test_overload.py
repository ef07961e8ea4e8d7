"""More connections, bytes and requests than a process has room for."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import httpx2
import pytest

from chassis.runtime.health import is_healthy
from chassis.runtime.turns import FAILED_SECONDS
from chassis.web.dispatch import REFUSAL_SECONDS
from tests.integration.server.program import connections, response, serving
from tests.support.timing import waiting

CLIENT_SECONDS = 10.0
PROXY = "127.0.0.2"  # its clients have other addresses
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
        began = time.monotonic()
        refused = other.get("/sleep")
        assert time.monotonic() - began >= REFUSAL_SECONDS, "it cannot repeat it at once"
        with connections(port, 1, b"GET /a/b HTTP/1.1\r\nHost: h\r\n\r\n", source=PROXY) as [stranger]:
            assert response(stranger)[1] == b"b"
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_at_once")
    assert int(refused.headers["Retry-After"]) > 0


def test_many_requests_with_a_new_token_leave_threads_to_others() -> None:
    busy = b"GET /of-acme HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer new\r\n\r\n"
    with serving("threads=5, turns=2") as port, connections(port, 20, busy):
        time.sleep(1)
        with connections(port, 1, b"GET /a/b HTTP/1.1\r\nHost: h\r\n\r\n", source=PROXY) as [stranger]:
            assert response(stranger)[1] == b"b"


def test_requests_that_wait_hold_few_bytes_and_close_no_connection_of_others() -> None:
    body = b"x" * 500_000
    large = b"GET /sleep HTTP/1.1\r\nHost: h\r\nContent-Length: 500000\r\n\r\n" + body
    limits = "turns=1, held_bytes=4_000_000, queued_bytes_of_caller=1_000_000"
    with (
        serving(limits) as port,
        connections(port, 1, HALF + body, source=PROXY) as [upload],
        connections(port, 1, b"GET /sleep HTTP/1.1\r\nHost: h\r\n\r\n"),
        ExitStack() as stack,
    ):
        time.sleep(0.1)
        stack.enter_context(connections(port, 2, large))
        for _ in range(3):
            excess = stack.enter_context(connections(port, 4, large))
            assert [response(one)[0].split()[1] for one in excess] == [b"429"] * 4
        upload.sendall(body)
        assert response(upload)[1] == b"1000000"


def test_callers_that_wait_for_their_turns_refuse_nobody_else() -> None:
    busy = "GET /sleep HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 10.0.0.{}\r\n\r\n"
    with ExitStack() as stack:
        port = stack.enter_context(serving("threads=5, turns=1, queued=12, queued_of_caller=6"))
        for number in range(3):
            sent = busy.format(number).encode()
            stack.enter_context(connections(port, 7, sent, source=PROXY))
        other = b"GET /a/b HTTP/1.1\r\nHost: h\r\n\r\n"
        [connection] = stack.enter_context(connections(port, 1, other))
        assert response(connection)[1] == b"b"


def test_requests_of_clients_that_have_gone_are_not_handled() -> None:
    wrong = b"POST /sum HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n1"
    sleep = b"GET /sleep?seconds=2 HTTP/1.1\r\nHost: h\r\n\r\n"
    with serving("turns=1") as port, connections(port, 1, sleep) as [first]:
        with connections(port, 1, sleep.replace(b"=2", b"=30")), connections(port, 1, wrong):
            time.sleep(0.1)
        with connections(port, 1, wrong) as [last]:
            assert response(last)[1] == b"1"
        assert response(first)[1] == b"done"


def test_refused_requests_of_one_caller_are_answered_one_by_one() -> None:
    busy = b"GET /sleep HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer greedy\r\n\r\n"
    with (
        serving("threads=2, turns=1, queued_of_caller=2") as port,
        connections(port, 3, busy),
        connections(port, 20, busy) as excess,
    ):
        assert [response(one)[0].split()[1] for one in excess] == [b"429"] * 20


def test_requests_that_wait_for_their_refusal_make_room() -> None:
    busy = b"GET /sleep HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer greedy\r\n\r\n"
    with (
        serving("connections=20, threads=2, turns=1, queued_of_caller=2") as port,
        connections(port, 60, busy),
        connections(port, 1, b"GET /a/b HTTP/1.1\r\nHost: h\r\n\r\n", source=PROXY) as [stranger],
    ):
        assert response(stranger)[1] == b"b"


@pytest.mark.parametrize(("path", "status"), [("/nothing", b"404"), ("/broken", b"500")])
def test_a_caller_repeats_what_fails_slowly(path: str, status: bytes) -> None:
    wrong = f"GET {path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer one\r\n\r\n"
    with serving() as port:
        began = time.monotonic()
        with connections(port, 5, wrong.encode()) as sent:
            assert [response(one)[0].split()[1] for one in sent] == [status] * 5
        assert time.monotonic() - began >= 4 * FAILED_SECONDS


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
    with (
        serving("held_bytes=4_000_000") as port,
        connections(port, 1, b"") as [idle],
        connections(port, 10, HALF) as slow,
    ):
        for one in slow:
            try:
                one.sendall(body)
            except ConnectionError:
                continue
        waiting(lambda: sum(map(is_open, slow)) <= 4, "few of them are open")
        assert is_open(idle), "it holds nothing"
        with client(port) as other:
            assert other.post("/sum", content=body).text == "900000"
