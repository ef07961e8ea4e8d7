"""The keys of an issuer at a URL: what its server, or one in between, may not do."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from chassis.authentication.errors import IssuerUnavailable
from chassis.authentication.key_sources import MAX_BYTES, UrlKeys
from tests.support.timing import PATIENCE, waiting

KEY = (
    b'{"keys":[{"kty":"EC","crv":"P-256","kid":"one","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",'
    b'"y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}'
)


def ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


@contextmanager
def server(respond: Callable[[socket.socket], None]) -> Iterator[tuple[str, list[bytes]]]:
    """A server on this machine, and the heads of the requests that it got."""
    requests: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    requests.append(connection.recv(65536))
                    try:
                        respond(connection)
                    except OSError:
                        continue  # the client has ended the connection

        thread = Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/keys?a=b", requests
        finally:
            listener.shutdown(socket.SHUT_RDWR)
    thread.join(PATIENCE)


def test_keys_are_read_without_the_proxies_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with server(lambda connection: connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")) as (proxy, asked):
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy)
        monkeypatch.setenv("no_proxy", "")
        with server(lambda connection: connection.sendall(ok(KEY))) as (url, requests):
            assert [key.key_id for key in UrlKeys(url).read().keys] == ["one"]
    assert requests[0].startswith(b"GET /keys?a=b HTTP/1.1\r\n")
    assert asked == []


@pytest.mark.parametrize("status", [b"301", b"302", b"303", b"307", b"308"])
def test_redirects_are_not_followed(status: bytes) -> None:
    with server(lambda connection: connection.sendall(ok(KEY))) as (other, asked):
        moved = (
            b"HTTP/1.1 "
            + status
            + b" Moved\r\nContent-Length: 0\r\nLocation: "
            + other.encode()
            + b"\r\n\r\n"
        )
        with (
            server(lambda connection: connection.sendall(moved)) as (url, _),
            pytest.raises(IssuerUnavailable),
        ):
            UrlKeys(url).read()
    assert asked == []


def endless(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b" " * 65536)


@pytest.mark.parametrize(
    "respond",
    [
        endless,
        lambda connection: connection.sendall(ok(b" " * MAX_BYTES + KEY)),
        lambda connection: connection.sendall(ok(b"[]")),
        lambda connection: connection.sendall(ok(b'{"keys":[]}')),
        lambda connection: connection.sendall(ok(b'{"keys":[7]}')),
        lambda connection: connection.sendall(ok(b"\xff")),
        lambda connection: connection.sendall(b"HTTP/1.1 500 Error\r\nContent-Length: 0\r\n\r\n"),
        lambda connection: connection.sendall(b"SSH-2.0-OpenSSH\r\n"),
        lambda _connection: None,
    ],
    ids=["endless", "large", "list", "no key", "no object", "no text", "error", "not HTTP", "nothing"],
)
def test_other_responses_have_no_keys(respond: Callable[[socket.socket], None]) -> None:
    with server(respond) as (url, _), pytest.raises(IssuerUnavailable):
        UrlKeys(url).read()


@pytest.mark.parametrize(
    ("scheme", "start"),
    [
        ("http", b""),
        ("http", b"HTTP/1.1 200 OK\r\nX: "),
        ("http", b"HTTP/1.1 200 OK\r\n\r\n"),
        ("https", b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc"),
    ],
    ids=["nothing", "head", "body", "handshake"],
)
def test_a_response_that_arrives_byte_by_byte_is_given_up(scheme: str, start: bytes) -> None:
    ended: list[bool] = []

    def trickle(connection: socket.socket) -> None:
        connection.sendall(start)
        connection.settimeout(0.05)
        try:
            while not ended:
                if start:
                    connection.sendall(b" ")
                try:
                    ended.extend([True] * (not connection.recv(1)))
                except TimeoutError:
                    continue
        finally:
            ended.append(True)

    with server(trickle) as (url, _), pytest.raises(IssuerUnavailable):
        UrlKeys(url.replace("http", scheme), seconds=0.5).read()
    waiting(lambda: bool(ended), "the connection has ended")
