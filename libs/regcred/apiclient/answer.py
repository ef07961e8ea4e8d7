"""What the API answered: read, or raised as an error."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from regcred.apiclient.errors import ApiProblem, UnexpectedAnswer
from regcred.apiclient.transport import Reply


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """`body` is `None` for 204. `position` is that of the command in the log, for `Regcred-Wait-For`."""

    status: int
    body: Any
    etag: str | None
    position: str | None

    @property
    def version(self) -> str:
        """The ETag without its quotes."""
        return (self.etag or "").strip('"')


def read(reply: Reply, address: str) -> ApiResponse:
    """The answer. `address` is named by errors.

    Raises:
        ApiProblem: it is a problem document.
        UnexpectedAnswer: it is nothing that regcred would answer.
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
    """Raises what `read` does where the answer is no success."""
    if reply.is_success:
        return
    document: object = None
    if reply.media_type == "application/problem+json":
        try:
            document = json.loads(reply.content)
        except ValueError:
            document = None
    if not isinstance(document, dict):
        raise UnexpectedAnswer(
            f"{address} answered {reply.status}, and not as regcred does: is the address right?"
        )
    retry_after = reply.headers.get("retry-after", "")
    seconds = int(retry_after) if retry_after.isdecimal() else None
    raise ApiProblem(reply.status, document, retry_after=seconds)


def unexpected(address: str, wanted: str) -> UnexpectedAnswer:
    return UnexpectedAnswer(f"{address} did not answer with {wanted}: is the address right?")


def lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    r"""Lines that end in `\n` alone; `str.splitlines` would also break at separators inside of values."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line + b"\n" for line in whole)
    if rest:
        yield rest
