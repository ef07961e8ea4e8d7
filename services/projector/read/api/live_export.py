"""Follow the audit trail: an NDJSON response that continues with new rows for a limited time.

Empty lines are heartbeats.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

from flask import Response

from chassis.database import Pool
from chassis.runtime.slots import Slots, TooManyAtOnce
from chassis.web.problems import Problem
from eventlog.storage import store_errors
from projector.read import audit_trail
from projector.read.api import views
from projector.read.api.audit_record import AuditRecord
from projector.read.api.export import NDJSON, ndjson_line
from projector.read.audit_trail import AuditFilter
from projector.read.selection import MAX_LIMIT, Page

RETRY_SECONDS = 30
MAX_PER_ACCOUNT = 4
MAX_CONCURRENT = 8  # each response occupies a thread of the server, but no connection while it waits
MAX_SECONDS = 3600
DEFAULT_SECONDS = 300
POLL_SECONDS = 0.5
HEARTBEAT_SECONDS = 10.0


class LiveExport:
    """Streams live exports. `monotonic` and `sleep` are those of the module `time`, in seconds."""

    def __init__(
        self, pool: Pool, *, monotonic: Callable[[], float], sleep: Callable[[float], object]
    ) -> None:
        self._pool = pool
        self._monotonic = monotonic
        self._sleep = sleep
        self._slots = Slots(total=MAX_CONCURRENT, per_account=MAX_PER_ACCOUNT, retry_after=RETRY_SECONDS)

    def stream(self, record: AuditRecord, account_id: str, wanted: AuditFilter, *, seconds: int) -> Response:
        """Respond with the rows after position `wanted.after`, in the order of the log, for `seconds`.

        If `wanted.after` is `None`, the response begins with the next row.

        Raises:
            Problem: 429, `MAX_CONCURRENT` requests follow audit trails, or `MAX_PER_ACCOUNT` this one.
            EventStoreError.
        """
        slot = ExitStack()
        try:
            slot.enter_context(self._slots.one(account_id))
        except TooManyAtOnce as error:
            detail = "too many requests follow the audit trail already; try again later"
            headers = {"Retry-After": str(error.retry_after)}
            raise Problem(429, "too_many_at_once", detail, headers=headers) from None
        try:
            if wanted.after is None:
                with store_errors(), self._pool.connection() as connection:
                    wanted = replace(wanted, after=audit_trail.newest_position(connection, account_id))
            response = Response(
                self._lines(record, account_id, wanted, seconds),
                content_type=f"{NDJSON}; charset=utf-8",
                headers={"X-Accel-Buffering": "no"},  # nginx sends each line at once
            )
        except BaseException:
            slot.close()
            raise
        response.call_on_close(slot.close)
        return record.of(response)

    def _lines(
        self, record: AuditRecord, account_id: str, wanted: AuditFilter, seconds: int
    ) -> Iterator[bytes]:
        yield b"\n"  # sends the headers of the response
        began = last_sent = self._monotonic()
        while True:
            page, end = self._next_page(account_id, wanted)
            for row in page.rows:
                yield ndjson_line(views.audit_event(record.add(row)))
            if page.next_cursor is not None:
                wanted = replace(wanted, after=page.rows[-1]["position"])
                continue
            wanted = replace(wanted, after=max(end, wanted.after or 0))
            moment = self._monotonic()
            if page.rows:
                last_sent = moment
            if moment - began >= seconds:
                return
            if moment - last_sent >= HEARTBEAT_SECONDS:
                last_sent = moment
                yield b"\n"
            self._sleep(POLL_SECONDS)

    def _next_page(self, account_id: str, wanted: AuditFilter) -> tuple[Page, int]:
        """The next rows, and the position up to which they were read: the highest one before the query."""
        with store_errors(), self._pool.connection() as connection:
            end = audit_trail.newest_position(connection, account_id)
            page = audit_trail.audit_events(
                connection, account_id, replace(wanted, up_to=end), limit=MAX_LIMIT, order="asc"
            )
        return page, end
