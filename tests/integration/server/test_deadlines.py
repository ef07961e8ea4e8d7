"""Deadlines of a connection: for the head, for the complete request, between requests, and for the response."""

import json
import socket
import time
from collections.abc import Iterator
from threading import Thread

import pytest

from chassis.web.connections import ServerLimits
from chassis.web.server import Server
from tests.integration.server.program import connections, received, response, serving
from tests.support.timing import PATIENCE, waiting

SHORT = "head_seconds=0.5, request_seconds=1.0, idle_seconds=0.5, send_seconds=0.5"
HEAD = b"POST /sum HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(SHORT) as made:
        yield made


def trickle(connection: socket.socket, pause: float) -> None:
    """Send a byte again and again, so that the connection is never idle."""
    deadline = time.monotonic() + PATIENCE
    try:
        while time.monotonic() < deadline:
            connection.sendall(b"x")
            time.sleep(pause)
    except OSError:
        return  # the server has ended it


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\nX: ", HEAD], ids=["head", "body"])
def test_a_request_that_arrives_byte_by_byte_is_refused(port: int, sent: bytes) -> None:
    with connections(port, 1, sent) as [connection]:
        sender = Thread(target=trickle, args=(connection, 0.1))
        sender.start()
        head, body = response(connection)
        connection.close()
        sender.join(PATIENCE)
    assert b" 408 Request Timeout\r\n" in head
    assert b"Content-Type: application/problem+json" in head
    assert json.loads(body)["code"] == "request_timeout"


def test_a_connection_without_a_request_is_closed(port: int) -> None:
    with connections(port, 2, b"") as [unused, used]:
        used.sendall(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
        assert received(used).startswith(b"HTTP/1.1 200 OK")
        assert received(unused) == b""


def test_a_client_that_does_not_read_its_response_is_disconnected(port: int) -> None:
    request = b"GET /large?times=20 HTTP/1.1\r\nHost: h\r\n\r\n"
    with connections(port, 1, request, receive_buffer=4096) as [connection]:

        def is_closed() -> bool:
            try:
                connection.sendall(b"x")
            except ConnectionError:
                return True
            return False

        waiting(is_closed, "the server has ended the connection")


def test_the_time_to_read_a_response_begins_with_the_response() -> None:
    limits = ServerLimits()
    server = Server(lambda _environ, _start: [], "127.0.0.1", 0, limits, lambda peer, _forwarded: peer)
    with connections(int(server.effective_port), 1, b"", receive_buffer=4096):
        server.handle_accept()
        [connection] = server.active_channels.values()
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        begun = time.monotonic()
        connection.check(limits, begun - 100)  # the last one before the response
        connection.write_soon(b"x" * limits.body_bytes)
        assert connection.total_outbufs_len
        connection.check(limits, begun + limits.send_seconds - 0.001)
        assert connection.connected
        connection.check(limits, time.monotonic() + limits.send_seconds)
        assert not connection.connected
    server.close()


def test_a_request_in_progress_has_no_deadline(port: int) -> None:
    with connections(port, 1, b"GET /sleep?seconds=3 HTTP/1.1\r\nHost: h\r\n\r\n") as [slow]:
        assert received(slow).endswith(b"done")
