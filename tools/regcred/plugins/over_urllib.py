"""The transport of the plugins. It uses only the standard library, so that they start in milliseconds."""

import http.client
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import (
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    ProxyHandler,
    build_opener,
    getproxies,
)
from urllib.request import Request as UrllibRequest

from regcred.apiclient.errors import NotConnected
from regcred.apiclient.failures import broken, not_connected
from regcred.apiclient.transport import SECONDS, SECONDS_TO_CONNECT, ApiRequest, Reply, Stream
from regcred.apiclient.trust import trust


class _ConnectError(OSError):
    """The connection failed before anything was sent. The cause has the reason."""


class _Connection(http.client.HTTPConnection):
    """A connection with a shorter limit for connecting than for the response, and its own error for it."""

    def connect(self) -> None:
        self.timeout = SECONDS_TO_CONNECT
        try:
            super().connect()
        except OSError as error:
            raise _ConnectError from error
        self.sock.settimeout(SECONDS)


class _SecureConnection(_Connection, http.client.HTTPSConnection):
    pass


class _Http(HTTPHandler):
    def http_open(self, request: UrllibRequest) -> http.client.HTTPResponse:
        return self.do_open(_Connection, request)


class _Https(HTTPSHandler):
    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(context=context)
        self._trusted = context

    def https_open(self, request: UrllibRequest) -> http.client.HTTPResponse:
        return self.do_open(_SecureConnection, request, context=self._trusted)


class _NoRedirect(HTTPRedirectHandler):
    """Refuses redirects, which would send token and secrets to a host that the user did not name."""

    def redirect_request(self, *_arguments: Any) -> None:
        return None


class UrllibTransport:
    """A transport over urllib.

    Args:
        address: of the API, without a trailing slash.
        proxies: whether to use the proxies of the environment.
        ca_file: certificate authorities that are trusted in addition to those of the system.

    Raises:
        ConfigurationError: `ca_file` cannot be read.
    """

    def __init__(self, address: str, *, proxies: bool, ca_file: Path | None = None) -> None:
        self._address = address
        # The authorities of the machine take 50 ms to load. A connection without TLS does not use them.
        tls = [_Https(trust(ssl.create_default_context(), ca_file))] if address.startswith("https://") else []
        self._opener = build_opener(ProxyHandler(_proxies() if proxies else {}), _Http, _NoRedirect, *tls)

    @property
    def address(self) -> str:
        return self._address

    def send(self, request: ApiRequest) -> Reply:
        with self._errors(), self._open(request) as response:
            return Reply(response.status, _headers(response), response.read())

    @contextmanager
    def stream(self, request: ApiRequest) -> Iterator[Stream]:
        """Yield the complete response as one chunk. Plugins read no long responses."""
        reply = self.send(request)
        yield Stream(reply, iter((reply.content,)))

    def close(self) -> None:
        """Do nothing: every request has its own connection."""

    def _open(self, request: ApiRequest) -> Any:
        sent = UrllibRequest(  # noqa: S310 the settings allow only http and https
            self._address + request.target, request.content, request.headers, method=request.method
        )
        try:
            return self._opener.open(sent)
        except HTTPError as error:
            return error  # it is the response with its status and body

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except http.client.InvalidURL:
            raise NotConnected(f"{self._address} is not a valid address") from None
        except (OSError, http.client.HTTPException) as error:
            cause = error.reason if isinstance(error, URLError) else error
            if isinstance(cause, _ConnectError):
                raise not_connected(self._address, cause) from None
            raise broken(self._address) from None


def _proxies() -> dict[str, str]:
    """The proxies of the environment by scheme. ALL_PROXY applies to both schemes."""
    named = getproxies()
    every = {scheme: named["all"] for scheme in ("http", "https") if "all" in named}
    return {**every, **named}


def _headers(response: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}
