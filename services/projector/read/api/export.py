"""Export the audit trail as a file of any length: one JSON object or one CSV row per event.

The rows are read in pages, without a transaction around them. A file has the rows up to the position that was
the highest when the export began. Rows that are added later have higher positions (`audit_trail`).
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec
from flask import Response

from chassis.database import Pool
from eventlog.storage import store_errors
from projector.read import audit_trail
from projector.read.api import views
from projector.read.api.archived_part import archived_part
from projector.read.api.audit_record import AuditRecord
from projector.read.api.spreadsheet import csv_lines
from projector.read.audit_trail import AuditFilter, Order
from projector.read.selection import Row
from projector.write.archived_segments import ArchivedPart

NDJSON = "application/x-ndjson"
CSV = "text/csv"
PAGE = 1000

_encode = msgspec.json.Encoder().encode


class ArchivedDuringExport(Exception):
    """Rows were archived while they were exported. The export is aborted, because it would be incomplete."""


def stream(
    record: AuditRecord,
    account_id: str,
    wanted: AuditFilter,
    form: str,
    *,
    order: Order,
    archived: ArchivedPart | None,
) -> Response:
    """Respond with all rows that match `wanted`, as `form` (a media type).

    `archived` is the archived part when the export begins.

    Raises:
        EventStoreError: the database failed before anything was sent.
    """
    rows = _rows(record.pool, account_id, wanted, order, archived)
    events = (views.audit_event(record.add(row)) for row in rows)
    name = "audit-events.ndjson" if form == NDJSON else "audit-events.csv"
    return record.of(
        Response(
            map(ndjson_line, events) if form == NDJSON else csv_lines(events),
            content_type=f"{form}; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )
    )


def ndjson_line(event: dict[str, Any]) -> bytes:
    return _encode(event) + b"\n"


def _rows(
    pool: Pool, account_id: str, wanted: AuditFilter, order: Order, archived: ArchivedPart | None
) -> Iterator[Row]:
    with store_errors(), pool.connection() as connection:
        end = audit_trail.newest_position(connection, account_id)
    return _paged(pool, account_id, replace(wanted, up_to=end), order, archived)


def _paged(
    pool: Pool, account_id: str, wanted: AuditFilter, order: Order, archived: ArchivedPart | None
) -> Iterator[Row]:
    cursor: str | None = None
    while True:
        with store_errors(), pool.connection() as connection:
            page = audit_trail.audit_events(
                connection, account_id, wanted, limit=PAGE, cursor=cursor, order=order
            )
            # Rows are deleted after their segment is recorded. Without a new segment the page is complete.
            if archived_part(connection, wanted) != archived:
                raise ArchivedDuringExport
        yield from page.rows
        cursor = page.next_cursor
        if cursor is None:
            return
