"""The transport of the plugins: the standard library only, so that they start in milliseconds."""

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

from regcred.apiclient.errors import NoAnswer
from regcred.apiclient.failures import broken, not_connected
from regcred.apiclient.transport import SECONDS, SECONDS_TO_CONNECT, ApiRequest, Reply, Stream


class _NotConnected(OSError):
    """Nothing was sent yet; the cause says why."""


class _Connection(http.client.HTTPConnection):
    """Connecting has a shorter time limit than the answer, and an error of its own."""

    def connect(self) -> None:
        self.timeout = SECONDS_TO_CONNECT
        try:
            super().connect()
        except OSError as error:
            raise _NotConnected from error
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
    """A redirect would carry token and secrets to a host that nobody named."""

    def redirect_request(self, *_arguments: Any) -> None:
        return None


class UrllibTransport:
    """`proxies`: those of the environment are used."""

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
        """The whole answer at once: plugins read nothing long."""
        reply = self.send(request)
        yield Stream(reply, iter((reply.content,)))

    def close(self) -> None:
        """Nothing to close: every request has a connection of its own."""

    def _open(self, request: ApiRequest) -> Any:
        sent = UrllibRequest(  # noqa: S310 the settings let http and https through, and nothing else
            self._address + request.target, request.content, request.headers, method=request.method
        )
        try:
            return self._opener.open(sent)
        except HTTPError as error:
            return error  # an answer without success is an answer

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except http.client.InvalidURL:
            raise NoAnswer(f"{self._address} cannot be an address") from None
        except (OSError, http.client.HTTPException) as error:
            cause = error.reason if isinstance(error, URLError) else error
            if isinstance(cause, _NotConnected):
                raise not_connected(self._address, cause) from None
            raise broken(self._address) from None


def _opener(proxies: dict[str, str]) -> OpenerDirector:
    return build_opener(ProxyHandler(proxies), _Http, _Https, _NoRedirect)


def _proxies() -> dict[str, str]:
    """The environment's, by scheme; ALL_PROXY counts for both."""
    named = getproxies()
    every = {scheme: named["all"] for scheme in ("http", "https") if "all" in named}
    return {**every, **named}


def _headers(response: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}
