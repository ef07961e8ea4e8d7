"""A response of a registry or token service. Pure."""

from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime

MAX_SECONDS = 24 * 3600
_MAX_DIGITS = 9


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A response. `body` is cut at the limit of the session. The names of `headers` are in lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first header with this name (lower case)."""
        return next((value for key, value in self.headers if key == name), None)

    def all(self, name: str) -> list[str]:
        """All headers with this name (lower case)."""
        return [value for key, value in self.headers if key == name]


def retry_after(response: HttpResponse) -> int | None:
    """`Retry-After` in seconds, at most a day; `None` if it is missing or cannot be read.

    The header is a number of seconds or a date (RFC 9110, section 10.2.3). A date is compared with the `Date`
    of the response, so that the clocks of client and server need not agree.
    """
    text = (response.header("retry-after") or "").strip()
    if text.isascii() and text.isdecimal():
        return min(int(text[: _MAX_DIGITS + 1]), MAX_SECONDS)
    until, sent = _moment(text), _moment(response.header("date") or "")
    if until is None or sent is None:
        return None
    return min(max(round((until - sent).total_seconds()), 0), MAX_SECONDS)


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else None
