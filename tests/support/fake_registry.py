"""Registries of every kind on the loopback address: a function makes their responses, and they record requests.

A `Behaviour` makes a `Reply` of a `Seen` request; `Raw` bytes go to the socket as they are, for what is no HTTP.
All that is sent contains `MARK`, so that a test can search for it in the output.
"""

import base64
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from socket import AF_INET, AF_INET6, SHUT_RDWR, socket
from threading import Event, Thread
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlsplit

from tests.support.timing import PATIENCE

MARK = "sent-by-the-registry"
TOKEN = f"token.{MARK}"


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it arrived; names of headers are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def authorization(self) -> str | None:
        return self.headers.get("authorization")


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP response."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = f'{{"{MARK}": true}}'.encode()
    hang_up: bool = False  # close the connection afterwards without `Connection: close`


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes that are sent in place of HTTP, one piece `every` so many seconds, until the client closes."""

    pieces: Iterable[bytes]
    every: float = 0.0


Behaviour = Callable[[Seen], Reply | Raw]


@dataclass(slots=True)
class FakeServer:
    """Serves while it is entered. `address` is its host:port, `seen` are the requests in order."""

    behaviour: Behaviour
    tls: ssl.SSLContext | None = None
    host: str = "127.0.0.1"
    seen: list[Seen] = field(default_factory=list)
    address: str = ""
    port: int = 0
    connections: int = 0
    _stop: Event = field(default_factory=Event)
    _open: set[socket] = field(default_factory=set)
    _server: ThreadingHTTPServer | None = None
    _thread: Thread | None = None

    def __enter__(self) -> Self:
        outer: FakeServer = self

        class Server(ThreadingHTTPServer):
            address_family = AF_INET6 if ip_address(outer.host).version == 6 else AF_INET
            daemon_threads = False  # closing waits for them, so that no socket is left
            request_queue_size = 64

            def process_request(self, request: object, client_address: object) -> None:
                assert isinstance(request, socket)
                outer._open.add(request)
                super().process_request(request, client_address)

            def shutdown_request(self, request: object) -> None:
                assert isinstance(request, socket)
                outer._open.discard(request)
                super().shutdown_request(request)

            def handle_error(self, request: object, client_address: object) -> None:
                """A client that goes away early is nothing to report."""

        class Handler(_Handler):
            server_of_tests = outer

        self._server = Server((self.host, 0), Handler)
        if self.tls:
            self._server.socket = self.tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self.address = f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._server and self._thread:
            self._server.shutdown()
            self._thread.join()
            for connection in list(self._open):
                with suppress(OSError):  # the client has closed it
                    connection.shutdown(SHUT_RDWR)
            self._server.server_close()

    def answer(self, seen: Seen) -> Reply | Raw:
        self.seen.append(seen)
        return self.behaviour(seen)

    def pause(self, seconds: float) -> bool:
        """Wait; whether to continue."""
        return not self._stop.wait(seconds)


class _Handler(BaseHTTPRequestHandler):
    server_of_tests: FakeServer
    protocol_version = "HTTP/1.1"
    timeout = PATIENCE

    def setup(self) -> None:
        super().setup()
        self.server_of_tests.connections += 1

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the base class names it so
        """Tests read `seen`."""

    def version_string(self) -> str:
        return MARK

    def _serve(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server_of_tests.answer(
            Seen(self.command, self.path, headers, self.rfile.read(length) if length else b"")
        )
        if isinstance(answer, Raw):
            self._raw(answer)
            return
        self.send_response(answer.status, MARK)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
        self.close_connection = self.close_connection or answer.hang_up

    def _raw(self, answer: Raw) -> None:
        self.close_connection = True
        for piece in answer.pieces:
            self.wfile.write(piece)
            if answer.every and not self.server_of_tests.pause(answer.every):
                return

    do_GET = do_HEAD = do_POST = _serve  # noqa: N815 the base class looks for these names


def basic_of(username: str, password: str) -> str:
    """The `Authorization` header of this login."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def challenge(text: str, *more: str, status: int = 401) -> Reply:
    return Reply(status, tuple(("WWW-Authenticate", header) for header in (text, *more)))


def always(reply: Reply | Raw) -> Behaviour:
    return lambda _seen: reply


def basic(username: str, password: str) -> Behaviour:
    """Like distribution with htpasswd."""

    def answer(seen: Seen) -> Reply:
        good = seen.authorization == basic_of(username, password)
        return Reply(200) if good else challenge(f'Basic realm="{MARK}"')

    return answer


def bearer(realm: str, *, rest: str = f',service="{MARK}"', token: str = TOKEN) -> Behaviour:
    """A registry that accepts only the token of the realm."""

    def answer(seen: Seen) -> Reply:
        good = seen.authorization == f"Bearer {token}"
        return Reply(200) if good else challenge(f'Bearer realm="{realm}"{rest}')

    return answer


def tokens(username: str, password: str, *, field_name: str = "token", refusal: int = 401) -> Behaviour:
    """A token server that gives `TOKEN` to one login."""

    def answer(seen: Seen) -> Reply:
        if seen.authorization != basic_of(username, password):
            return Reply(refusal)
        return Reply(200, body=f'{{"{field_name}": "{TOKEN}", "expires_in": 60}}'.encode())

    return answer


def tokens_for_anybody(_seen: Seen) -> Reply:
    """Like that of a registry with public images."""
    return Reply(200, body=f'{{"token": "{TOKEN}"}}'.encode())


def by_path(registry: Behaviour, token_server: Behaviour) -> Behaviour:
    """Registry below /v2/, token server everywhere else, on one server."""
    return lambda seen: registry(seen) if seen.path.startswith("/v2/") else token_server(seen)


def slowly(pieces: Iterable[bytes], every: float = 0.05) -> Behaviour:
    return always(Raw(pieces, every))


def after(seconds: float, behaviour: Behaviour) -> Behaviour:
    def answer(seen: Seen) -> Reply | Raw:
        time.sleep(seconds)
        return behaviour(seen)

    return answer
