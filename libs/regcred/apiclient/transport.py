"""Requests, replies and the protocol of a transport."""

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode

from regcred.apiclient.secret import Revealable

Json = dict[str, Any]
Parameters = Mapping[str, str | int | bool | None]  # None is omitted
SECONDS = 45.0  # limit of a request: longer than the longest `Prefer: wait` of the API
SECONDS_TO_CONNECT = 5.0


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A request. `target` is path and query string, relative to the address of the API."""

    method: str
    target: str
    headers: dict[str, str]
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply. The names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes = field(default=b"", repr=False)

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300  # noqa: PLR2004 RFC 9110, section 15.3

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class Stream:
    """A long response: `reply` without content, and the content in chunks while it arrives.

    Reading `chunks` may raise `ResponseLost`. The chunks before it are then incomplete.
    """

    reply: Reply
    chunks: Iterator[bytes]


class Transport(Protocol):
    """Sends requests to one API. It does not follow redirects.

    Raises:
        NotConnected: nothing was sent.
        ResponseLost: the request may have been sent.
    """

    @property
    def address(self) -> str:
        """The address of the API, without a trailing slash."""

    def send(self, request: ApiRequest) -> Reply: ...

    def stream(self, request: ApiRequest) -> AbstractContextManager[Stream]: ...

    def close(self) -> None: ...


def build(
    method: str,
    path: str,
    headers: Mapping[str, str],
    *,
    body: Json | None = None,
    parameters: Parameters | None = None,
) -> ApiRequest:
    """Build a request. Secrets in `body` are revealed only here."""
    given = {name: _text(value) for name, value in (parameters or {}).items() if value is not None}
    target = f"{path}?{urlencode(given)}" if given else path
    if body is None:
        return ApiRequest(method, target, dict(headers))
    content = json.dumps(body, default=_reveal).encode()
    return ApiRequest(method, target, {**headers, "Content-Type": "application/json"}, content)


def _text(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _reveal(value: object) -> str:
    if isinstance(value, Revealable):
        return value.reveal()
    raise TypeError(f"{type(value).__name__} has no JSON form")
