"""Connections that break, are closed early, or lead to another address than before."""

import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

import pytest

from contracts.verdicts import VerificationCode as Code
from registries.dialer.connection import Deadline
from registries.dialer.dialer import Dialer, system_resolver
from registries.dialer.errors import Unreachable
from registries.dialer.session import HttpSession
from tests.integration.verifier.attempts import DEADLINE, PASSWORD, SHORT_DEADLINE, USER, attempt, loopback
from tests.support.fake_registry import (
    MARK,
    FakeServer,
    Raw,
    Reply,
    Seen,
    always,
    basic,
    bearer,
    by_path,
    challenge,
    tokens,
)

HEAD = b"HTTP/1.1 200 OK\r\n"
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST


@contextmanager
def listener(then: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server of one connection; `then` is what it does once a request is there."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                then(connection)

        thread = Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def test_a_reset_connection_is_unreachable() -> None:
    with listener(lambda it: it.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)) as address:
        assert attempt(address).code is Code.UNREACHABLE


def test_a_closed_connection_is_unreachable() -> None:
    with listener(lambda it: it.shutdown(socket.SHUT_WR)) as address:
        assert attempt(address).code is Code.UNREACHABLE


@pytest.mark.parametrize(
    "part",
    [
        b"HTTP/1.1 2",
        HEAD + b"X: " + MARK.encode(),
        HEAD + b"Content-Length: 9\r\n\r\nabc",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
)
def test_a_truncated_response_is_unreachable(part: bytes) -> None:
    with listener(lambda it: it.sendall(part)) as address:
        assert attempt(address).code is Code.UNREACHABLE


def test_a_connection_that_is_closed_after_each_response_is_opened_again() -> None:
    def refuse_and_hang_up(seen: Seen) -> Reply | Raw:
        reply = basic(USER, PASSWORD)(seen)
        assert isinstance(reply, Reply)
        return Reply(reply.status, reply.headers, hang_up=True)

    with FakeServer(refuse_and_hang_up) as server:
        assert attempt(server.address).code is None


def test_a_name_that_changes_to_a_blocked_address_is_unreachable() -> None:
    """DNS rebinding: the name resolves to a permitted address at first, and to the metadata service later."""
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])
    asked = challenge(f'Basic realm="{MARK}"')
    with FakeServer(always(Reply(401, (*asked.headers, ("Connection", "close"))))) as server:
        host = f"reg.example:{server.port}"
        done = attempt(host, policy=loopback(host), resolver=lambda _host, _port: next(answers))
    assert done.code is Code.UNREACHABLE
    assert [seen.authorization for seen in server.seen] == [None]


def test_a_slow_resolver_is_unreachable() -> None:
    answer = Event()

    def resolve(_host: str, _port: int) -> list[str]:
        answer.wait()
        return ["127.0.0.1"]

    try:
        done = attempt("reg.example:5000", resolver=resolve, deadline=SHORT_DEADLINE)
    finally:
        answer.set()
    assert done.code is Code.UNREACHABLE


@pytest.mark.parametrize("error", [OSError("canary"), UnicodeError("canary")])
def test_an_unresolvable_name_is_unreachable(error: Exception) -> None:
    def resolve(_host: str, _port: int) -> list[str]:
        raise error

    assert attempt("reg.example:5000", resolver=resolve).code is Code.UNREACHABLE


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_a_registry_at_an_ipv6_address_is_reached() -> None:
    with FakeServer(by_path(bearer("/auth"), tokens(USER, PASSWORD)), host="::1") as server:
        assert attempt(server.address).code is None
    assert {seen.headers["host"] for seen in server.seen} == {server.address}


def test_a_login_needs_one_connection_to_each_host() -> None:
    with FakeServer(basic(USER, PASSWORD)) as server:
        assert attempt(server.address).code is None
        assert (len(server.seen), server.connections) == (2, 1)


def test_a_persistent_connection_uses_the_checked_address() -> None:
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])
    with FakeServer(basic(USER, PASSWORD)) as server:
        host = f"reg.example:{server.port}"
        done = attempt(host, policy=loopback(host), resolver=lambda _host, _port: next(answers))
    assert done.code is None


def test_bytes_after_a_response_are_not_the_next_response() -> None:
    asked = f'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="{MARK}"\r\nContent-Length: 0\r\n\r\n'.encode()
    let_in = HEAD + b"Content-Length: 0\r\n\r\n"

    def answer(seen: Seen) -> Reply | Raw:
        return Raw([asked + let_in]) if seen.authorization is None else Reply(401)

    with FakeServer(answer) as server:
        assert attempt(server.address).code is Code.BAD_CREDENTIAL
        assert (len(server.seen), server.connections) == (2, 2)


def test_a_session_asks_each_host_on_its_own_connection_and_a_body_has_its_length() -> None:
    with FakeServer(always(Reply(200))) as one, FakeServer(always(Reply(200))) as other:
        deadline = Deadline(DEADLINE, time.monotonic)
        policy = loopback(one.address, other.address)
        dialer = Dialer(policy, deadline, system_resolver)
        with HttpSession(dialer, deadline, ssl.create_default_context()) as session:
            for server in (one, other, one, other):
                session.request("GET", f"http://{server.address}/v2/")
            session.request("POST", f"http://{one.address}/token?a=b", body=b"x=1")
            session.request("POST", f"http://{one.address}", body=b"")
    assert (one.connections, other.connections) == (1, 1)
    assert [(seen.target, seen.body) for seen in one.seen[2:]] == [("/token?a=b", b"x=1"), ("/", b"")]
    assert [seen.headers.get("content-length") for seen in one.seen] == [None, None, "3", "0"]


def test_a_post_is_not_repeated() -> None:
    """A persistent connection breaks during a POST: the token server may have got the request."""
    replies: Iterator[Reply | Raw] = iter([Reply(200), Raw([])])
    with FakeServer(lambda _seen: next(replies)) as server:
        deadline = Deadline(DEADLINE, time.monotonic)
        dialer = Dialer(loopback(server.address), deadline, system_resolver)
        with HttpSession(dialer, deadline, ssl.create_default_context()) as session:
            session.request("GET", f"http://{server.address}/")
            with pytest.raises(Unreachable):
                session.request("POST", f"http://{server.address}/token", body=b"x=1")
        assert [seen.method for seen in server.seen] == ["GET", "POST"]
