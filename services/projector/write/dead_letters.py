"""Redrive the dead letters of a stream, or discard one.

A dead letter blocks its stream: the first event failed, and all later ones wait for it. A redrive applies
them in order and stops at the first one that fails again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
import structlog
from psycopg import sql

from chassis.database import Connection
from eventlog.storage import PersonalKeys, read_log
from projector.write.batch_writer import BatchWriter, is_caused_by_event, lock_live, refusal
from projector.write.combine import RowExists
from projector.write.generations import consumer_of
from projector.write.projections.changes import Change, Insert
from projector.write.projections.projected_event import ProjectedEvent, project

log = structlog.get_logger()


BATCH = 500

_WAITING = """
SELECT position FROM es.dead_letters WHERE consumer = %s AND stream_id = %s ORDER BY position LIMIT %s
"""
_FAILED = """
UPDATE es.dead_letters SET attempts = attempts + 1, reason = left(%s, 500)
WHERE consumer = %s AND position = %s
"""
_OTHER_STREAMS = """
SELECT p.stream_id, l.stream_id, min(p.position)
FROM es.dead_letters p JOIN es.log l ON l.position = p.position
WHERE p.consumer = %s AND p.stream_id <> %s GROUP BY p.stream_id, l.stream_id
"""
_MOVE = "UPDATE es.dead_letters SET stream_id = %s WHERE consumer = %s AND stream_id = %s AND position >= %s"
_DELETE = "DELETE FROM es.dead_letters WHERE consumer = %s AND position = ANY (%s)"


@dataclass(frozen=True, slots=True)
class RedriveResult:
    """`applied` events are in the read models now. `left` events still wait, the first one for `reason`."""

    applied: int
    left: int
    reason: str | None


def blocked_streams_of_live(connection: Connection) -> list[UUID]:
    """The streams that have dead letters in the live generation, the one that waits longest first."""
    rows = connection.execute(
        "SELECT p.stream_id FROM es.dead_letters p"
        " JOIN rm.generations g ON g.status = 'live' AND p.consumer = 'projector:' || g.generation"
        " GROUP BY p.stream_id ORDER BY min(p.position)"
    ).fetchall()
    return [stream_id for (stream_id,) in rows]


def redrive(connection: Connection, stream_id: UUID, personal: PersonalKeys | None = None) -> RedriveResult:
    """Apply the dead letters that wait for this stream, in the live generation. The projector may be running.

    Raises:
        psycopg.Error: the database is unavailable.
        EventStoreUnavailable: another generation became live in the meantime; call it again.
    """
    batch_writer = BatchWriter(lock_live)
    applied, reason, size = 0, None, BATCH
    while True:
        try:
            with connection.transaction():
                done, reason = _redrive_some(connection, batch_writer, stream_id, size, personal)
        except (psycopg.Error, RowExists) as error:
            if not is_caused_by_event(error):
                raise
            if size > 1:
                size = 1  # to find the event that the database refuses
                continue
            reason = refusal(error)
            _record_failure(connection, stream_id, reason)
            done = 0
        applied += done
        if done == 0 or reason is not None:
            break
    left = _waiting_in_live(connection, stream_id)
    log.info("stream_redriven", stream_id=str(stream_id), applied=applied, left=left, reason=reason)
    return RedriveResult(applied, left, reason if left else None)


def discard(connection: Connection, position: int) -> bool:
    """Delete one dead letter of the live generation.

    Its event changes nothing but the audit trail, and later events of the stream can be redriven. Returns
    false if there is no dead letter at the position.
    """
    with connection.transaction():
        live = lock_live(connection)
        deleted = connection.execute(_DELETE, (consumer_of(live.generation), [position]))
        return deleted.rowcount == 1


def _redrive_some(
    connection: Connection,
    batch_writer: BatchWriter,
    stream_id: UUID,
    size: int,
    personal: PersonalKeys | None,
) -> tuple[int, str | None]:
    """Apply up to `size` events; returns their number, and the reason why the next one fails."""
    live = lock_live(connection)
    consumer = consumer_of(live.generation)
    positions = [p for (p,) in connection.execute(_WAITING, (consumer, stream_id, size)).fetchall()]
    others = connection.execute(_OTHER_STREAMS, (consumer, stream_id)).fetchall()
    projected: list[ProjectedEvent] = []
    reason = None
    for position in positions:
        [stored] = read_log(connection, position - 1, 1, personal=personal)
        event = project(stored)
        if event.reason is not None:
            reason = event.reason
            connection.execute(_FAILED, (reason, consumer, position))
            break
        before = [
            other for other, own, first in others if first < position and _comes_before(event, other, own)
        ]
        if before:  # it depends on an event that was dead-lettered later, so it waits for that stream now
            connection.execute(_MOVE, (before[0], consumer, stream_id, position))
            break
        projected.append(event)
    if projected:
        done = [event.position for event in projected]
        copies = _copies(connection, live.generation, done)
        changes: list[Change] = []
        for event in projected:
            changes.extend(
                _with_earlier_copies(row, copies.get(event.position, {})) for row in event.audit_rows
            )
            changes.extend(event.audit_index)
            changes.extend(event.changes)
        connection.execute("SELECT rm.retract_dead_letters(%s, %s)", (live.generation, done))
        batch_writer.write(connection, live.generation, changes)
        connection.execute(_DELETE, (consumer, done))
    return len(projected), reason


def _comes_before(event: ProjectedEvent, waiting_for: UUID, stream_id: UUID) -> bool:
    return waiting_for == event.credential_id or stream_id == event.stream_id


def _copies(connection: Connection, generation: int, positions: Sequence[int]) -> dict[int, dict[str, Any]]:
    """The values that rows of the audit trail copied from the credential when they were dead-lettered."""
    rows = connection.execute(
        sql.SQL("SELECT position, credential_name, registry_host FROM {} WHERE position = ANY (%s)").format(
            sql.Identifier(f"rm_g{generation}", "audit_events")
        ),
        (positions,),
    ).fetchall()
    return {position: {"credential_name": name, "registry_host": host} for position, name, host in rows}


def _with_earlier_copies(row: Insert, earlier: Mapping[str, Any]) -> Insert:
    """A row of the audit trail with the values that were copied when its event was dead-lettered."""
    values = {column: earlier[column] for column in row.copied if earlier.get(column) is not None}
    copied = {column: source for column, source in row.copied.items() if column not in values}
    return Insert(row.table, {**row.values, **values}, copied)


def _record_failure(connection: Connection, stream_id: UUID, reason: str) -> None:
    with connection.transaction():
        consumer = consumer_of(lock_live(connection).generation)
        first = connection.execute(_WAITING, (consumer, stream_id, 1)).fetchone()
        if first is not None:
            connection.execute(_FAILED, (reason, consumer, first[0]))


def _waiting_in_live(connection: Connection, stream_id: UUID) -> int:
    row = connection.execute(
        "SELECT count(*) FROM es.dead_letters p"
        " JOIN rm.generations g ON p.consumer = 'projector:' || g.generation"
        " WHERE g.status = 'live' AND p.stream_id = %s",
        (stream_id,),
    ).fetchone()
    return int(row[0]) if row else 0
