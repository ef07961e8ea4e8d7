"""The audit trail as it comes in: NDJSON that goes on for a while, an empty line where nothing happens."""

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

FOLLOWERS = 8  # at a time: each has one of the server's threads, and no connection while it waits
MAX_SECONDS = 3600
DEFAULT_SECONDS = 300
POLL_SECONDS = 0.5
HEARTBEAT_SECONDS = 10.0


class LiveExport:
    """`monotonic` counts seconds; `sleep` waits for some."""

    def __init__(
        self, pool: Pool, *, monotonic: Callable[[], float], sleep: Callable[[float], object]
    ) -> None:
        self._pool = pool
        self._monotonic = monotonic
        self._sleep = sleep
        self._places = BoundedSemaphore(FOLLOWERS)

    def stream(self, record: AuditRecord, account_id: str, wanted: AuditFilter, *, seconds: int) -> Response:
        """What stands behind `wanted.after` (`None`: the end of now), in the order of the log, for so long.

        Raises:
            Problem: 503, too many follow already.
            EventStoreError.
        """
        if not self._places.acquire(blocking=False):
            raise unavailable("too_many_at_once", f"{FOLLOWERS} follow the audit trail already", 30)
        try:
            if wanted.after is None:
                with store_errors(), self._pool.connection() as connection:
                    wanted = replace(wanted, after=audit_trail.newest_position(connection, account_id))
            response = Response(
                self._lines(record, account_id, wanted, seconds),
                content_type=f"{NDJSON}; charset=utf-8",
                headers={"X-Accel-Buffering": "no"},  # a proxy is to pass on each line at once
            )
        except BaseException:
            self._places.release()
            raise
        response.call_on_close(self._places.release)
        return record.of(response)

    def _lines(
        self, record: AuditRecord, account_id: str, wanted: AuditFilter, seconds: int
    ) -> Iterator[bytes]:
        yield b"\n"  # the answer has begun
        began = said = self._monotonic()
        while True:
            page, end = self._look(account_id, wanted)
            for row in page.rows:
                yield ndjson_line(views.audit_event(record.add(row)))
            if page.next_cursor is not None:
                wanted = replace(wanted, after=page.rows[-1]["position"])
                continue
            wanted = replace(wanted, after=max(end, wanted.after or 0))
            moment = self._monotonic()
            if page.rows:
                said = moment
            if moment - began >= seconds:
                return
            if moment - said >= HEARTBEAT_SECONDS:
                said = moment
                yield b"\n"
            self._sleep(POLL_SECONDS)

    def _look(self, account_id: str, wanted: AuditFilter) -> tuple[Page, int]:
        """The next events, and where the trail ended before that was asked: up to there all was seen."""
        with store_errors(), self._pool.connection() as connection:
            end = audit_trail.newest_position(connection, account_id)
            page = audit_trail.audit_events(
                connection, account_id, replace(wanted, up_to=end), limit=MAX_LIMIT, order="asc"
            )
        return page, end
