"""What a transport sends and receives."""

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode

from regcred.apiclient.secret import Revealable

Json = dict[str, Any]
Parameters = Mapping[str, str | int | bool | None]  # None is left out

SECONDS = 45.0  # that a request may take: longer than the API's longest `Prefer: wait`
SECONDS_TO_CONNECT = 5.0


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """`target` is path and query string, below the address of the API."""

    method: str
    target: str
    headers: dict[str, str]
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """`headers` have names in lower case."""

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
    """The start of a long answer: `reply` without content, and the content as it comes in.

    Reading `chunks` may raise `AnswerLost`: what came before is not the whole then.
    """

    reply: Reply
    chunks: Iterator[bytes]


class Transport(Protocol):
    """Sends requests to one API. No redirect is followed.

    Raises:
        NoAnswer: nothing was sent.
        AnswerLost: something may have been sent.
    """

    @property
    def address(self) -> str:
        """Where the API is, without a slash at the end."""

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
    """A request. Secrets in `body` are revealed here, and nowhere else."""
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
