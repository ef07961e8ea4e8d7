"""`Retry-After` (RFC 9110, section 10.2.3): seconds, or a date, which is compared with the answer's own."""

from datetime import datetime
from email.utils import parsedate_to_datetime

from registries.dialing.session import Answer

MAX_SECONDS = 24 * 3600
_MAX_DIGITS = 9


def retry_after(answer: Answer) -> int | None:
    """Seconds that an answer asks to wait, a day at most; `None` where it says nothing that can be read.

    A date counts from the answer's `Date`: so the two clocks need not agree.
    """
    text = (answer.header("retry-after") or "").strip()
    if text.isascii() and text.isdecimal():
        return min(int(text[: _MAX_DIGITS + 1]), MAX_SECONDS)
    until, sent = _moment(text), _moment(answer.header("date") or "")
    if until is None or sent is None:
        return None
    return min(max(round((until - sent).total_seconds()), 0), MAX_SECONDS)


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else None
