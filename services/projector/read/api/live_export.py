"""Follow the audit trail: an NDJSON response that continues with new rows for a limited time.

Empty lines are heartbeats.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import BoundedSemaphore

from flask import Response

from chassis.database import Pool
from chassis.web.problems import unavailable
from eventlog.storage import store_errors
from projector.read import audit_trail
from projector.read.api import views
from projector.read.api.audit_record import AuditRecord
from projector.read.api.export import NDJSON, ndjson_line
from projector.read.audit_trail import AuditFilter
from projector.read.selection import MAX_LIMIT, Page

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
        self._slots = BoundedSemaphore(MAX_CONCURRENT)

    def stream(self, record: AuditRecord, account_id: str, wanted: AuditFilter, *, seconds: int) -> Response:
        """Respond with the rows after position `wanted.after`, in the order of the log, for `seconds`.

        If `wanted.after` is `None`, the response begins with the next row.

        Raises:
            Problem: 503, `MAX_CONCURRENT` callers follow the audit trail already.
            EventStoreError.
        """
        if not self._slots.acquire(blocking=False):
            detail = f"{MAX_CONCURRENT} requests follow the audit trail already; try again later"
            raise unavailable("too_many_at_once", detail, 30)
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
            self._slots.release()
            raise
        response.call_on_close(self._slots.release)
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
