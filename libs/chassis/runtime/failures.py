"""Failures of a loop: a log line when the reason changes, and a growing delay."""

from typing import Any

import structlog

from chassis.runtime.backoff import backoff

log = structlog.get_logger()

REMIND_EVERY = 60  # failures in a row: five minutes with delays of five seconds


class Failures:
    """Counts consecutive failures. A loop calls `add` after each, and `reset` when it works again.

    `event` is the name of the log line, and `unexpected` that of errors without a known reason. `fields` are
    the other fields. `longest` is the longest delay in seconds.
    """

    def __init__(self, event: str, *, longest: float, unexpected: str | None = None, **fields: str) -> None:
        self._event = event
        self._unexpected = unexpected or event
        self._longest = longest
        self._fields = fields
        self._in_a_row = 0
        self._logged: tuple[str, str] | None = None

    def add(self, error: Exception, reason: str | None, *, jitter: float = 1.0) -> float:
        """Log a failure if its reason is another one than before. Returns the seconds to wait.

        Without a `reason` the error is unexpected, and logged with its stack trace. The same failure
        is logged again after `REMIND_EVERY` attempts.
        """
        kind = type(error).__name__
        if self._logged != (kind, reason or "") or self._in_a_row % REMIND_EVERY == 0:
            fields: dict[str, Any] = {**self._fields, "error": kind, "attempt": self._in_a_row + 1}
            if reason is None:
                log.error(self._unexpected, **fields, exc_info=error)
            else:
                log.warning(self._event, **fields, reason=reason)
        self._logged = (kind, reason or "")
        seconds = backoff(self._in_a_row, longest=self._longest, jitter=jitter)
        self._in_a_row += 1
        return seconds

    def reset(self) -> None:
        """The loop works again."""
        self._in_a_row, self._logged = 0, None
