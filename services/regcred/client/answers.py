"""What the API answered: read, or raised as what it is."""

from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from regcred.client.errors import ApiProblem, UnexpectedAnswer

if TYPE_CHECKING:
    import httpx2


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is `None` for 204. `position` names the command in the log, for `Regcred-Wait-For`."""

    body: Any
    etag: str | None
    position: str | None


def read(response: "httpx2.Response") -> Answer:
    """The answer.

    Raises:
        ApiProblem, UnexpectedAnswer: it is a problem document, or nothing that regcred would answer.
    """
    check(response)
    body = None
    if response.status_code != HTTPStatus.NO_CONTENT:
        if media_type(response) != "application/json":
            raise unexpected(response, "JSON")
        try:
            body = response.json()
        except ValueError:
            raise unexpected(response, "JSON") from None
    return Answer(body, response.headers.get("ETag"), response.headers.get("Regcred-Position"))


def check(response: "httpx2.Response") -> None:
    """Raises what `read` does where the answer is no success."""
    if response.is_success:
        return
    document: object = None
    if media_type(response) == "application/problem+json":
        try:
            document = response.json()
        except ValueError:
            document = None
    if not isinstance(document, dict):
        raise UnexpectedAnswer(
            f"{_origin(response)} answered {response.status_code}, and not as regcred does: "
            "is the address right?"
        )
    retry_after = response.headers.get("Retry-After")
    raise ApiProblem(response.status_code, {**document, "retry_after": retry_after})


def unexpected(response: "httpx2.Response", wanted: str) -> UnexpectedAnswer:
    return UnexpectedAnswer(f"{_origin(response)} did not answer with {wanted}: is the address right?")


def media_type(response: "httpx2.Response") -> str:
    return str(response.headers.get("Content-Type", "")).partition(";")[0].strip().lower()


def lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    r"""Lines that end in `\n` alone; `str.splitlines` would also break at separators inside of values."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line + b"\n" for line in whole)
    if rest:
        yield rest


def _origin(response: "httpx2.Response") -> str:
    url = response.request.url
    return f"{url.scheme}://{url.netloc.decode('ascii')}"
