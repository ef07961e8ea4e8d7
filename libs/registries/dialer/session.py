"""HTTP for one login: few requests, small responses, one deadline. Redirects are not followed."""

import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from registries.dialer.connection import Deadline
from registries.dialer.dialer import Dialer
from registries.dialer.errors import BudgetExceeded, Unreachable
from registries.dialer.http_connection import HttpConnection, HttpRequest
from registries.dialer.response import HttpResponse

MAX_REQUESTS = 8
MAX_BODY_BYTES = 64 * 1024
USER_AGENT = "regcred"
HTTPS_PORT, HTTP_PORT = 443, 80


class _Origin(NamedTuple):
    tls: bool
    host: str
    port: int | None


class HttpSession:
    """The requests of one login, at most `requests`, with responses of at most `body_bytes`.

    Use it as a context manager. At the end it closes its connections.
    """

    def __init__(
        self,
        dialer: Dialer,
        deadline: Deadline,
        tls: ssl.SSLContext,
        *,
        requests: int = MAX_REQUESTS,
        body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        self._dialer = dialer
        self._deadline = deadline
        self._tls = tls
        # Connections are reused: dialling and the TLS handshake are the slowest parts of a login. A reused
        # connection goes to an address that was checked.
        self._connections: dict[_Origin, HttpConnection] = {}
        self._requests_left = requests
        self._body_bytes = body_bytes

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        for connection in self._connections.values():
            connection.close()

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> HttpResponse:
        """Send one request. A redirect is returned like any other response.

        Raises:
            LoginNotTried: Blocked, Unreachable, TlsFailed, NotHttp or BudgetExceeded.
        """
        if self._requests_left == 0:
            raise BudgetExceeded("the login at this registry needs too many requests")
        self._requests_left -= 1
        self._deadline.remaining()
        parts = urlsplit(url)
        origin = _Origin(parts.scheme == "https", parts.hostname or "", parts.port)
        request = HttpRequest(
            method=method,
            target=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
            headers={
                "Host": parts.netloc,
                "User-Agent": USER_AGENT,
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                **(headers or {}),
            },
            body=body,
        )
        existing = self._connections.get(origin)
        if existing is None or not existing.prepare_next():
            return self._dial(origin).ask(request, body_bytes=self._body_bytes)
        try:
            return existing.ask(request, body_bytes=self._body_bytes)
        except Unreachable:
            # The other side may close a reused connection at the moment of the next request.
            if method != "GET" or existing.response_begun:
                raise
            return self._dial(origin).ask(request, body_bytes=self._body_bytes)

    def _dial(self, origin: _Origin) -> HttpConnection:
        """Open a connection, in place of an existing one."""
        if stale := self._connections.pop(origin, None):
            stale.close()
        connection = self._dialer.dial(origin.host, origin.port or (HTTPS_PORT if origin.tls else HTTP_PORT))
        if origin.tls:
            connection.encrypt(self._tls, origin.host)
        self._connections[origin] = HttpConnection(connection)
        return self._connections[origin]
