"""Reads the log by position, and stores the checkpoints of consumers."""

from collections.abc import Generator, Iterator
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg import sql

from eventlog.events.envelope import StoredEvent, StreamId
from eventlog.storage.personal_keys import PersonalKeys

# A foreign key guarantees an event for each position, so an inner join leaves no gap.
_READ = """
SELECT l.position, e.event_id, s.category, e.stream_id, e.version, e.type, e.schema_version,
       e.data::text, e.meta::text, e.recorded_at, s.account_id, k.wrapped
FROM es.log l
JOIN es.events e ON e.stream_id = l.stream_id AND e.version = l.version
JOIN es.streams s ON s.stream_id = l.stream_id
LEFT JOIN personal.keys k ON k.account_id = s.account_id AND k.number = (e.meta#>>'{personal,key}')::integer
WHERE l.position > %s ORDER BY l.position LIMIT %s
"""

# Events in another order than that of the log, each with the value by which they are grouped.
_GROUPED = """
SELECT {group}, l.position, e.event_id, s.category, e.stream_id, e.version, e.type, e.schema_version,
       e.data::text, e.meta::text, e.recorded_at, s.account_id, k.wrapped
FROM es.events e
JOIN es.streams s ON s.stream_id = e.stream_id
LEFT JOIN es.log l ON l.stream_id = e.stream_id AND l.version = e.version
LEFT JOIN personal.keys k ON k.account_id = s.account_id AND k.number = (e.meta#>>'{{personal,key}}')::integer
WHERE {where} ORDER BY 1 NULLS FIRST, {order}
"""

NOTIFICATIONS = "es_log"  # the relay notifies on this channel when it has assigned positions
_STREAMED_ROWS = 500  # rows per result: PostgreSQL finds the next ones while this process works on these


def read_log(
    connection: psycopg.Connection[Any], after: int, limit: int, *, personal: PersonalKeys | None = None
) -> list[StoredEvent]:
    """Up to `limit` events after position `after`, in order and without a gap.

    Without `personal`, personal data cannot be decrypted and reads as `erased`.
    """
    rows = connection.execute(_READ, (after, limit)).fetchall()
    return [stored_event(row, personal) for row in rows]


def stream_log(
    connection: psycopg.Connection[Any], after: int, limit: int, *, personal: PersonalKeys | None = None
) -> Generator[StoredEvent, None, None]:
    """The events of `read_log`, yielded while PostgreSQL still looks up later ones.

    This is for large batches, because the query is planned each time. The connection is in use until the
    generator ends.
    """
    with connection.cursor(binary=True) as cursor:
        for row in cursor.stream(_READ, (after, limit), size=_STREAMED_ROWS):
            yield stored_event(row, personal)


def stream_grouped(
    connection: psycopg.Connection[Any],
    *,
    group: LiteralString,
    where: LiteralString,
    order: LiteralString,
    personal: PersonalKeys | None = None,
) -> Iterator[tuple[Any, StoredEvent]]:
    """Events with the value of `group`, in the order of these values (NULL first) and then by `order`.

    PostgreSQL sorts them, and they are read in parts. The three arguments are expressions on the event `e`,
    its stream `s` and its row `l` of the log, which is NULL before it has a position. The connection is in a
    transaction. Without `personal`, personal data reads as erased.
    """
    query = sql.SQL(_GROUPED).format(group=sql.SQL(group), where=sql.SQL(where), order=sql.SQL(order))
    with connection.cursor(name="grouped_events") as cursor:
        cursor.itersize = _STREAMED_ROWS
        for value, *row in cursor.execute(query):
            yield value, stored_event(tuple(row), personal)


def stored_event(row: tuple[Any, ...], personal: PersonalKeys | None) -> StoredEvent:
    """The event of a row: its position, and the columns that `_READ` selects after it, in that order."""
    (
        position,
        event_id,
        category,
        stream_id,
        version,
        name,
        schema_version,
        data,
        meta,
        recorded_at,
        account_id,
        wrapped,
    ) = row
    return StoredEvent(
        position=position,
        event_id=event_id,
        stream=StreamId(category, stream_id),
        version=version,
        type=name,
        schema_version=schema_version,
        payload=data,
        metadata=meta,
        recorded_at=recorded_at,
        cipher=personal.cipher(account_id, wrapped) if personal else None,
    )


def position_of(connection: psycopg.Connection[Any], stream_id: UUID, version: int) -> int | None:
    """The position of an event. `None` if it has no position yet."""
    row = connection.execute(
        "SELECT position FROM es.log WHERE stream_id = %s AND version = %s", (stream_id, version)
    ).fetchone()
    return row[0] if row else None


def load_checkpoint(connection: psycopg.Connection[Any], consumer: str) -> int:
    """The position up to which a consumer has handled every event. 0 for a new consumer."""
    row = connection.execute(
        "SELECT position FROM es.checkpoints WHERE consumer = %s", (consumer,)
    ).fetchone()
    return row[0] if row else 0


def save_checkpoint(connection: psycopg.Connection[Any], consumer: str, *, after: int, position: int) -> bool:
    """Move a checkpoint from `after` to `position`. False if another process has moved it."""
    cursor = connection.execute(
        "INSERT INTO es.checkpoints AS c (consumer, position) VALUES (%(consumer)s, %(position)s) "
        "ON CONFLICT (consumer) DO UPDATE SET position = %(position)s, updated_at = clock_timestamp() "
        "WHERE c.position = %(after)s",
        {"consumer": consumer, "after": after, "position": position},
    )
    return cursor.rowcount == 1
