"""Events into one generation: rows, dead letters, and the checkpoint in one transaction.

A batch has its effect once, whatever happens in between: whoever writes locks the generation's row and goes
on from the position that stands there.
"""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
import structlog

from eventlog.storage import EventStoreUnavailable
from projector.write.archived_through import archived_through, beyond
from projector.write.erasure import erase_rows
from projector.write.fold import Folded, RowExists, fold, keys_of
from projector.write.generations import UnknownGeneration, consumer_of
from projector.write.projections import audit_index
from projector.write.projections.changes import Change, Insert
from projector.write.projections.projected_event import ProjectedEvent
from projector.write.tables import Tables

log = structlog.get_logger()

Connection = psycopg.Connection[Any]

HELD = "waits for an earlier event of its stream"
_ADD_DEAD_LETTER = """
INSERT INTO es.dead_letters (consumer, position, stream_id, reason) VALUES (%s, %s, %s, left(%s, 500))
ON CONFLICT DO NOTHING
"""
_BLOCKED_STREAMS = "SELECT DISTINCT stream_id FROM es.dead_letters WHERE consumer = %s"
_CHECKPOINT = "UPDATE rm.generations SET position = %s, updated_at = clock_timestamp() WHERE generation = %s"
_SWITCHES = 5  # so many in a row while somebody waits would be no accident
_LIMITS = "54"  # SQLSTATE class: larger than what the database takes, as a value that no index has room for


@dataclass(frozen=True, slots=True)
class Locked:
    """A generation whose row this transaction has locked, and its checkpoint."""

    generation: int
    position: int


Lock = Callable[[Connection], Locked]
Writer = Callable[[Tables, Connection, Folded], None]  # `Tables.insert` or `Tables.copy`


@dataclass(slots=True)
class BatchPlan:
    """Changes in order, and dead letters: position, the stream that it waits for, reason."""

    changes: list[Change] = field(default_factory=list)
    dead_letters: list[tuple[int, UUID, str]] = field(default_factory=list)


def lock_live(connection: Connection) -> Locked:
    """Lock the generation that readers see. Call it in a transaction.

    Raises:
        EventStoreUnavailable: it changed each time while this waited for it.
    """
    for _ in range(_SWITCHES):  # what has become live while this waited is seen by the next statement
        row = connection.execute(
            "SELECT generation, position FROM rm.generations WHERE status = 'live' FOR UPDATE"
        ).fetchone()
        if row is not None:
            return Locked(*row)
    raise EventStoreUnavailable


def lock_number(number: int) -> Lock:
    """Lock one generation, which is there."""

    def lock(connection: Connection) -> Locked:
        row = connection.execute(
            "SELECT generation, position FROM rm.generations WHERE generation = %s FOR UPDATE", (number,)
        ).fetchone()
        if row is None:
            raise UnknownGeneration(number)
        return Locked(*row)

    return lock


class Application:
    """Applies events to the generation that `lock` locks. `writer` writes the rows: `Tables.insert` suits the
    small batches of the live generation, `Tables.copy` the large ones of a rebuild.
    """

    def __init__(self, lock: Lock, writer: Writer = Tables.insert) -> None:
        self._lock = lock
        self._writer = writer
        self._tables: dict[int, Tables] = {}

    def advance(self, connection: Connection, projected: Sequence[ProjectedEvent]) -> Locked:
        """Apply what lies behind the generation's checkpoint; gives the generation and its new checkpoint.

        What the database refuses for good is found by halves and dead-lettered; the others go on.

        Raises:
            psycopg.Error: the database is away, or refuses for a reason that does not lie in an event.
            EventStoreUnavailable: the events do not follow the checkpoint; read again from there.
        """
        try:
            with connection.transaction():
                return self.apply_locked(connection, self._lock(connection), projected)
        except (psycopg.Error, RowExists) as error:
            if not lies_in_an_event(error):
                raise
            if len(projected) > 1:
                middle = len(projected) // 2
                self.advance(connection, projected[:middle])
                return self.advance(connection, projected[middle:])
            [event] = projected
            if event.reason is None:
                again = event.failed(refused(error))
            elif event.trail:
                again = event.without_trail()
            else:
                raise
            return self.advance(connection, [again])

    def apply_locked(self, connection: Connection, at: Locked, projected: Sequence[ProjectedEvent]) -> Locked:
        """As `advance`, in a transaction that has locked the generation; raises what the database says."""
        projected = [event for event in projected if event.position > at.position]
        if not projected:
            return at
        if projected[0].position != at.position + 1:
            raise EventStoreUnavailable  # something lies between: read again
        plan = planned(projected, blocked_streams(connection, at.generation))
        self.write(connection, at.generation, plan.changes)
        for event in projected:
            if event.erases is not None:
                erase_rows(connection, at.generation, event.erases)
        position = projected[-1].position
        with connection.pipeline():
            for dead_letter in plan.dead_letters:
                connection.execute(_ADD_DEAD_LETTER, (consumer_of(at.generation), *dead_letter))
            connection.execute(_CHECKPOINT, (position, at.generation))
        for at_position, stream_id, reason in plan.dead_letters:
            log.error("event_parked", position=at_position, stream_id=str(stream_id), reason=reason)
        return Locked(at.generation, position)

    def write(self, connection: Connection, generation: int, changes: Sequence[Change]) -> None:
        """Make these changes, and the spans of their rows of the trail, in a transaction that has locked the
        generation. Rows of the trail that are archived (ADR 15) are left out.

        Raises:
            RowExists: as the database would refuse it.
        """
        if generation not in self._tables:
            self._tables[generation] = Tables(connection, generation)
        tables = self._tables[generation]
        changes = beyond([*changes, *audit_index.spans(changes)], archived_through(connection))
        self._writer(tables, connection, fold(changes, tables.load(connection, keys_of(changes))))


def planned(projected: Sequence[ProjectedEvent], blocked: AbstractSet[UUID]) -> BatchPlan:
    """Which changes are made and what is dead-lettered, `blocked` being the streams that wait already. Pure.

    An event waits if its stream does, or that of the credential which it is about: an outcome must not be
    applied before the event that made the row it belongs to.
    """
    waiting = set(blocked)
    plan = BatchPlan()
    for event in projected:
        if not waiting and event.reason is None:
            plan.changes.extend(event.trail)
            plan.changes.extend(event.index)
            plan.changes.extend(event.changes)
            continue
        about = event.credential_id
        held = next((stream for stream in (event.stream_id, about) if stream in waiting), None)
        # What the credential's row says now may not be what it was at that event.
        plan.changes.extend(map(without_copies, event.trail) if about in waiting else event.trail)
        plan.changes.extend(event.index)
        if held is not None:
            plan.dead_letters.append((event.position, held, event.reason or HELD))
        elif event.reason is not None:
            plan.dead_letters.append((event.position, event.stream_id, event.reason))
            waiting.add(event.stream_id)
        else:
            plan.changes.extend(event.changes)
    return plan


def blocked_streams(connection: Connection, generation: int) -> set[UUID]:
    """The streams of which something is dead-lettered in that generation."""
    rows = connection.execute(_BLOCKED_STREAMS, (consumer_of(generation),)).fetchall()
    return {stream_id for (stream_id,) in rows}


def without_copies(row: Insert) -> Insert:
    return Insert(row.table, {**row.values, **dict.fromkeys(row.copied)})


def lies_in_an_event(error: Exception) -> bool:
    """Whether the same event would be refused for ever. All else is tried again: it may be a database that is
    away, or an installation to be put right, and would hit every event alike.
    """
    if isinstance(error, psycopg.Error):
        return isinstance(error, (psycopg.DataError, psycopg.IntegrityError)) or (
            error.sqlstate or ""
        ).startswith(_LIMITS)
    return isinstance(error, RowExists)


def refused(error: Exception) -> str:
    """Why an event was dead-lettered; the type only, a message may quote values."""
    return f"the database refused it: {type(error).__name__}"
