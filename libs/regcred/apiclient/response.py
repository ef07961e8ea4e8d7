"""Reads a reply of the API: returns its body, or raises its problem document as an error."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from regcred.apiclient.errors import ApiProblem, UnexpectedResponse
from regcred.apiclient.transport import Reply


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """A successful response. `body` is `None` for 204.

    `position` is the log position of the command, for `Regcred-Wait-For`.
    """

    status: int
    body: Any
    etag: str | None
    position: str | None

    @property
    def version(self) -> str:
        """The ETag without its quotes."""
        return (self.etag or "").strip('"')


def read(reply: Reply, address: str) -> ApiResponse:
    """Read a reply. Errors name `address`.

    Raises:
        ApiProblem: the reply is a problem document.
        UnexpectedResponse: the reply is not from regcred.
    """
    check(reply, address)
    body = None
    if reply.status != HTTPStatus.NO_CONTENT:
        if reply.media_type != "application/json":
            raise unexpected(address, "JSON")
        try:
            body = json.loads(reply.content)
        except ValueError:
            raise unexpected(address, "JSON") from None
    return ApiResponse(reply.status, body, reply.headers.get("etag"), reply.headers.get("regcred-position"))


def check(reply: Reply, address: str) -> None:
    """Raise the error of an unsuccessful reply, as `read` does."""
    if reply.is_success:
        return
    document: object = None
    if reply.media_type == "application/problem+json":
        try:
            document = json.loads(reply.content)
        except ValueError:
            document = None
    if not isinstance(document, dict):
        raise UnexpectedResponse(
            f"{address} responded with {reply.status}, but not like regcred: is the address right?"
        )
    retry_after = reply.headers.get("retry-after", "")
    seconds = int(retry_after) if retry_after.isdecimal() else None
    raise ApiProblem(reply.status, document, retry_after=seconds)


def unexpected(address: str, wanted: str) -> UnexpectedResponse:
    return UnexpectedResponse(f"{address} did not respond with {wanted}: is the address right?")


def lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    r"""Split at `\n` only. `str.splitlines` would also split at separators inside values."""
    rest = b""
    for chunk in chunks:
        *complete, rest = (rest + chunk).split(b"\n")
        yield from (line + b"\n" for line in complete)
    if rest:
        yield rest
