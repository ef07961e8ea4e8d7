"""The transport of the plugins. It uses only the standard library, so that they start in milliseconds."""

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import (
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    build_opener,
    getproxies,
)
from urllib.request import Request as UrllibRequest

from regcred.apiclient.errors import NotConnected
from regcred.apiclient.failures import broken, not_connected
from regcred.apiclient.transport import SECONDS, SECONDS_TO_CONNECT, ApiRequest, Reply, Stream


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
    def https_open(self, request: UrllibRequest) -> http.client.HTTPResponse:
        return self.do_open(_SecureConnection, request)


class _NoRedirect(HTTPRedirectHandler):
    """Refuses redirects, which would send token and secrets to a host that the user did not name."""

    def redirect_request(self, *_arguments: Any) -> None:
        return None


class UrllibTransport:
    """A transport over urllib. `proxies`: whether to use the proxies of the environment."""

    def __init__(self, address: str, *, proxies: bool) -> None:
        self._address = address
        self._opener = _opener(_proxies() if proxies else {})

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


def _opener(proxies: dict[str, str]) -> OpenerDirector:
    return build_opener(ProxyHandler(proxies), _Http, _Https, _NoRedirect)


def _proxies() -> dict[str, str]:
    """The proxies of the environment by scheme. ALL_PROXY applies to both schemes."""
    named = getproxies()
    every = {scheme: named["all"] for scheme in ("http", "https") if "all" in named}
    return {**every, **named}


def _headers(response: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}
