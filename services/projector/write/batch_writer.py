"""Apply events to one generation: rows, dead letters, and the checkpoint in one transaction.

Each event takes effect exactly once: a writer locks the generation's row in `rm.generations` and continues
from the checkpoint in it.
"""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
import structlog

from eventlog.storage import EventStoreUnavailable
from projector.write.archived_segments import last_archived_position, without_archived
from projector.write.combine import Combined, RowExists, combine, keys_of
from projector.write.erasure import erase_rows
from projector.write.generations import UnknownGeneration, consumer_of
from projector.write.projections import audit_index
from projector.write.projections.changes import Change, Insert
from projector.write.projections.projected_event import ProjectedEvent
from projector.write.tables import Tables

log = structlog.get_logger()

Connection = psycopg.Connection[Any]

WAITS = "waits for an earlier event of its stream"
_ADD_DEAD_LETTER = """
INSERT INTO es.dead_letters (consumer, position, stream_id, reason) VALUES (%s, %s, %s, left(%s, 500))
ON CONFLICT DO NOTHING
"""
_BLOCKED_STREAMS = "SELECT DISTINCT stream_id FROM es.dead_letters WHERE consumer = %s"
_CHECKPOINT = "UPDATE rm.generations SET position = %s, updated_at = clock_timestamp() WHERE generation = %s"
_LOCK_ATTEMPTS = 5  # each one fails only if a switch happens while it waits
_PROGRAM_LIMIT_EXCEEDED = "54"  # SQLSTATE class, for example of a value that is too large for an index


@dataclass(frozen=True, slots=True)
class LockedGeneration:
    """A generation whose row this transaction has locked. `position` is its checkpoint."""

    generation: int
    position: int


Lock = Callable[[Connection], LockedGeneration]
RowWriter = Callable[[Tables, Connection, Combined], None]  # `Tables.insert` or `Tables.copy`


@dataclass(slots=True)
class BatchPlan:
    """Changes in order, and dead letters as position, id of the stream that blocks the event, and reason."""

    changes: list[Change] = field(default_factory=list)
    dead_letters: list[tuple[int, UUID, str]] = field(default_factory=list)


def lock_live(connection: Connection) -> LockedGeneration:
    """Lock the live generation. Call it in a transaction.

    Raises:
        EventStoreUnavailable: another generation became live during each attempt.
    """
    for _ in range(_LOCK_ATTEMPTS):  # the next statement sees a generation that became live in the meantime
        row = connection.execute(
            "SELECT generation, position FROM rm.generations WHERE status = 'live' FOR UPDATE"
        ).fetchone()
        if row is not None:
            return LockedGeneration(*row)
    raise EventStoreUnavailable


def lock_number(number: int) -> Lock:
    """A function that locks the generation with this number. It raises `UnknownGeneration`."""

    def lock(connection: Connection) -> LockedGeneration:
        row = connection.execute(
            "SELECT generation, position FROM rm.generations WHERE generation = %s FOR UPDATE", (number,)
        ).fetchone()
        if row is None:
            raise UnknownGeneration(number)
        return LockedGeneration(*row)

    return lock


class BatchWriter:
    """Applies events to the generation that `lock` locks.

    `write_rows` is `Tables.insert` for the small batches of the live generation, and `Tables.copy` for the
    large batches of a rebuild.
    """

    def __init__(self, lock: Lock, write_rows: RowWriter = Tables.insert) -> None:
        self._lock = lock
        self._write_rows = write_rows
        self._tables: dict[int, Tables] = {}

    def advance(self, connection: Connection, projected: Sequence[ProjectedEvent]) -> LockedGeneration:
        """Apply the events after the generation's checkpoint; returns the generation with its new checkpoint.

        If the database refuses a batch because of an event in it, the batch is applied in halves until the
        event is found. That event becomes a dead letter, and the others are applied.

        Raises:
            psycopg.Error: the database is unavailable, or no event is the cause of the error.
            EventStoreUnavailable: the first event does not follow the checkpoint; read again from there.
        """
        try:
            with connection.transaction():
                return self.apply_locked(connection, self._lock(connection), projected)
        except (psycopg.Error, RowExists) as error:
            if not is_caused_by_event(error):
                raise
            if len(projected) > 1:
                middle = len(projected) // 2
                self.advance(connection, projected[:middle])
                return self.advance(connection, projected[middle:])
            [event] = projected
            if event.reason is None:
                retried = event.failed(refusal(error))
            elif event.audit_rows:
                retried = event.without_audit_rows()
            else:
                raise
            return self.advance(connection, [retried])

    def apply_locked(
        self, connection: Connection, at: LockedGeneration, projected: Sequence[ProjectedEvent]
    ) -> LockedGeneration:
        """As `advance`, in a transaction that has locked the generation. Every error is raised."""
        projected = [event for event in projected if event.position > at.position]
        if not projected:
            return at
        if projected[0].position != at.position + 1:
            raise EventStoreUnavailable  # events in between are missing
        plan = plan_batch(projected, blocked_streams(connection, at.generation))
        self.write(connection, at.generation, plan.changes)
        for event in projected:
            if event.erased_account is not None:
                erase_rows(connection, at.generation, event.erased_account)
        position = projected[-1].position
        with connection.pipeline():
            for dead_letter in plan.dead_letters:
                connection.execute(_ADD_DEAD_LETTER, (consumer_of(at.generation), *dead_letter))
            connection.execute(_CHECKPOINT, (position, at.generation))
        for at_position, stream_id, reason in plan.dead_letters:
            log.error("event_parked", position=at_position, stream_id=str(stream_id), reason=reason)
        return LockedGeneration(at.generation, position)

    def write(self, connection: Connection, generation: int, changes: Sequence[Change]) -> None:
        """Write these changes and the spans of their audit rows.

        The transaction has locked the generation. Archived rows of the audit trail (ADR 15) are skipped.

        Raises:
            RowExists: an inserted row has the key of an existing one.
        """
        if generation not in self._tables:
            self._tables[generation] = Tables(connection, generation)
        tables = self._tables[generation]
        changes = without_archived(
            [*changes, *audit_index.spans(changes)], last_archived_position(connection)
        )
        self._write_rows(tables, connection, combine(changes, tables.load(connection, keys_of(changes))))


def plan_batch(projected: Sequence[ProjectedEvent], blocked: AbstractSet[UUID]) -> BatchPlan:
    """The changes and the dead letters of a batch. `blocked` are the streams that have dead letters. Pure.

    An event is dead-lettered if its stream is blocked, or the stream of its credential: the outcome of a
    verification must not be applied before the event that created the row of the credential.
    """
    waiting = set(blocked)
    plan = BatchPlan()
    for event in projected:
        if not waiting and event.reason is None:
            plan.changes.extend(event.audit_rows)
            plan.changes.extend(event.audit_index)
            plan.changes.extend(event.changes)
            continue
        credential_id = event.credential_id
        blocking = next((stream for stream in (event.stream_id, credential_id) if stream in waiting), None)
        # The row of a blocked credential may be older than the event, so nothing is copied from it.
        rows = map(without_copies, event.audit_rows) if credential_id in waiting else event.audit_rows
        plan.changes.extend(rows)
        plan.changes.extend(event.audit_index)
        if blocking is not None:
            plan.dead_letters.append((event.position, blocking, event.reason or WAITS))
        elif event.reason is not None:
            plan.dead_letters.append((event.position, event.stream_id, event.reason))
            waiting.add(event.stream_id)
        else:
            plan.changes.extend(event.changes)
    return plan


def blocked_streams(connection: Connection, generation: int) -> set[UUID]:
    """The streams that have dead letters in this generation."""
    rows = connection.execute(_BLOCKED_STREAMS, (consumer_of(generation),)).fetchall()
    return {stream_id for (stream_id,) in rows}


def without_copies(row: Insert) -> Insert:
    return Insert(row.table, {**row.values, **dict.fromkeys(row.copied)})


def is_caused_by_event(error: Exception) -> bool:
    """Whether the event itself is the cause, so that a retry would fail again.

    Other errors are retried: the database may be unavailable, or the installation faulty, and every event
    would fail in the same way.
    """
    if isinstance(error, psycopg.Error):
        return isinstance(error, (psycopg.DataError, psycopg.IntegrityError)) or (
            error.sqlstate or ""
        ).startswith(_PROGRAM_LIMIT_EXCEEDED)
    return isinstance(error, RowExists)


def refusal(error: Exception) -> str:
    """The reason of a dead letter that the database refused, without its message, which may quote values."""
    return f"the database refused it: {type(error).__name__}"
