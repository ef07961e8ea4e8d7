"""The audit trail as a file: one JSON object or one CSV row per event, read in pages, however long it is.

A file holds what was there when it was begun, though no transaction is open meanwhile: it is read by
position, from where the trail ended then, and behind a position nothing is put before it (`audit_trail`).
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
from projector.write.archived_through import ArchivedPart

NDJSON = "application/x-ndjson"
CSV = "text/csv"
PAGE = 1000

_encode = msgspec.json.Encoder().encode


class SealedMeanwhile(Exception):
    """Rows have left the trail while a file of it was read: the file breaks off, it would not be whole."""


def stream(
    record: AuditRecord,
    account_id: str,
    wanted: AuditFilter,
    form: str,
    *,
    order: Order,
    archived: ArchivedPart | None,
) -> Response:
    """`wanted` filters as the JSON list does; `sealed` is what was so of it when the file was begun.

    Raises:
        EventStoreError: before anything was sent.
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
            # Rows go after the segment is recorded: where it is not, the page is whole.
            if archived_part(connection, wanted) != archived:
                raise SealedMeanwhile
        yield from page.rows
        cursor = page.next_cursor
        if cursor is None:
            return
