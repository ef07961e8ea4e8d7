"""Events into one generation: rows, what had to be parked, and the checkpoint in one transaction.

A batch has its effect once, whatever happens in between: whoever writes locks the generation's row and goes
on from the position that stands there.
"""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import psycopg
import structlog

from projector.copying import Copying
from projector.erasure import forget
from projector.folding import RowExists, fold, keys_of
from projector.generations import UnknownGeneration, consumer_of
from projector.projections.audit_index import spans
from projector.projections.changes import Change, Insert
from projector.projections.reading import Reading
from projector.tables import Tables
from shared.eventstore.errors import EventStoreUnavailable

log = structlog.get_logger()

Connection = psycopg.Connection[Any]

HELD = "waits for an earlier event of its stream"
_PARK = """
INSERT INTO es.parked (consumer, position, stream_id, reason) VALUES (%s, %s, %s, left(%s, 500))
ON CONFLICT DO NOTHING
"""
_PARKED_STREAMS = "SELECT DISTINCT stream_id FROM es.parked WHERE consumer = %s"
_CHECKPOINT = "UPDATE rm.generations SET position = %s, updated_at = clock_timestamp() WHERE generation = %s"
_SHARD_CHECKPOINT = """
UPDATE rm.rebuild_shards SET position = %s, applied = applied + %s WHERE generation = %s AND shard = %s
"""
_SHARD_IS_WHOLE = """
UPDATE rm.rebuild_shards SET complete = position, complete_applied = applied
WHERE generation = %s AND shard = %s
"""
_SWITCHES = 5  # so many in a row while somebody waits would be no accident
_LIMITS = "54"  # SQLSTATE class: larger than what the database takes, as a value that no index has room for


@dataclass(frozen=True, slots=True)
class Locked:
    """A checkpoint whose row this transaction has locked: a generation's, or that of one of its shards, which
    has not all events (`projector.sharding`) and is not `whole` while a process puts off writing to it.
    """

    generation: int
    position: int
    shard: int | None = None
    whole: bool = True


Lock = Callable[[Connection], Locked]


@dataclass(slots=True)
class Plan:
    """Changes in order, and what is parked: position, the stream that it waits for, reason."""

    changes: list[Change] = field(default_factory=list)
    parked: list[tuple[int, UUID, str]] = field(default_factory=list)


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


class LeftBehind(Exception):
    """Somebody else writes to the shard, and what one of both has put off is missing in the tables."""

    def __init__(self) -> None:
        super().__init__("another process writes to the shard, or what was put off is lost")


class Application:
    """Applies to the generation that `lock` locks.

    `copying` is for one that nobody reads yet. `whole_every` may put off writing what changes for so many
    batches, in a shard, which says how far it is complete. Then nothing is parked that the database refuses:
    it is told, and what was put off is lost.
    """

    def __init__(self, lock: Lock, *, copying: bool = False, whole_every: int = 1) -> None:
        self._lock = lock
        self._puts_off = whole_every > 1
        self._copying = Copying(whole_every) if copying else None
        self._tables: dict[int, Tables] = {}
        self._left: Locked | None = None  # where what is known was true

    def advance(self, connection: Connection, readings: Sequence[Reading]) -> Locked:
        """Apply what lies behind the generation's checkpoint; gives the generation and its new checkpoint.

        What the database refuses for good is found by halves and parked; the others go on.

        Raises:
            psycopg.Error: the database is away, or refuses for a reason that does not lie in an event.
            psycopg.Error, RowExists: as it refuses an event, where writing is put off.
            EventStoreUnavailable: the events do not follow the checkpoint; read again from there.
            LeftBehind: what was put off is worth nothing.
        """
        try:
            with connection.transaction():
                return self.apply_locked(connection, self._lock(connection), readings)
        except (psycopg.Error, RowExists) as error:
            self._left = None
            if self._copying is not None and not self._puts_off:
                self._copying.forget()
            if self._puts_off or not lies_in_an_event(error):
                raise
            if len(readings) > 1:
                middle = len(readings) // 2
                self.advance(connection, readings[:middle])
                return self.advance(connection, readings[middle:])
            [reading] = readings
            if reading.reason is None:
                again = reading.failed(refused(error))
            elif reading.trail:
                again = reading.untold()
            else:
                raise
            return self.advance(connection, [again])

    def apply_locked(self, connection: Connection, at: Locked, readings: Sequence[Reading]) -> Locked:
        """As `advance`, in a transaction that has locked the generation; raises what the database says."""
        readings = [reading for reading in readings if reading.position > at.position]
        if not readings:
            return at
        if at.shard is None and readings[0].position != at.position + 1:
            raise EventStoreUnavailable  # something lies between: read again
        self._go_on(at)
        plan = planned(readings, parked_streams(connection, at.generation))
        widened = spans(row for reading in readings for row in reading.trail)
        self.write(connection, at.generation, [*plan.changes, *widened])
        for reading in readings:
            if reading.erases is not None:
                forget(connection, at.generation, reading.erases, reading.position)
        position = readings[-1].position
        with connection.pipeline():
            for parked in plan.parked:
                connection.execute(_PARK, (consumer_of(at.generation), *parked))
            if at.shard is None:
                connection.execute(_CHECKPOINT, (position, at.generation))
            else:
                connection.execute(_SHARD_CHECKPOINT, (position, len(readings), at.generation, at.shard))
                if self._whole:
                    connection.execute(_SHARD_IS_WHOLE, (at.generation, at.shard))
        for at_position, stream_id, reason in plan.parked:
            log.error("event_parked", position=at_position, stream_id=str(stream_id), reason=reason)
        self._left = replace(at, position=position, whole=self._whole)
        return self._left

    def complete(self, connection: Connection) -> None:
        """Write what was put off: the shard is complete up to its checkpoint.

        Raises:
            psycopg.Error, LeftBehind: as `advance`.
        """
        with connection.transaction():
            at = self._lock(connection)
            self._go_on(at)
            if self._copying is not None:
                self._copying.complete(connection, self._of(connection, at.generation))
            connection.execute(_SHARD_IS_WHOLE, (at.generation, at.shard))
        self._left = replace(at, whole=True)

    def write(self, connection: Connection, generation: int, changes: Sequence[Change]) -> None:
        """Make these changes, in a transaction that has locked the generation."""
        tables = self._of(connection, generation)
        if self._copying is not None:
            self._copying.write(connection, tables, changes)
        else:
            tables.write(connection, fold(changes, tables.load(connection, keys_of(changes))))

    def _of(self, connection: Connection, generation: int) -> Tables:
        if generation not in self._tables:
            self._tables[generation] = Tables(connection, generation)
        return self._tables[generation]

    @property
    def _whole(self) -> bool:
        return self._copying is None or self._copying.whole

    def _go_on(self, at: Locked) -> None:
        """What is known holds if the checkpoint stands where this has left it; from now on not until the next
        commit. Elsewhere this goes on from what the tables have, if that is all.
        """
        if at != self._left:
            if not (self._whole and at.whole):
                raise LeftBehind
            if self._copying is not None:
                self._copying.forget()
        self._left = None


def planned(readings: Sequence[Reading], blocked: AbstractSet[UUID]) -> Plan:
    """Which changes are made and what is parked, `blocked` being the streams that wait already. Pure.

    An event waits if its stream does, or that of the credential which it is about: an outcome must not be
    applied before the event that made the row it belongs to.
    """
    waiting = set(blocked)
    plan = Plan()
    for reading in readings:
        if not waiting and reading.reason is None:
            plan.changes.extend(reading.trail)
            plan.changes.extend(reading.index)
            plan.changes.extend(reading.changes)
            continue
        about = reading.credential_id
        held = next((stream for stream in (reading.stream_id, about) if stream in waiting), None)
        # What the credential's row says now may not be what it was at that event.
        plan.changes.extend(map(without_copies, reading.trail) if about in waiting else reading.trail)
        plan.changes.extend(reading.index)
        if held is not None:
            plan.parked.append((reading.position, held, reading.reason or HELD))
        elif reading.reason is not None:
            plan.parked.append((reading.position, reading.stream_id, reading.reason))
            waiting.add(reading.stream_id)
        else:
            plan.changes.extend(reading.changes)
    return plan


def parked_streams(connection: Connection, generation: int) -> set[UUID]:
    """The streams of which something is parked in that generation."""
    rows = connection.execute(_PARKED_STREAMS, (consumer_of(generation),)).fetchall()
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
    """Why an event was parked; the type only, a message may quote values."""
    return f"the database refused it: {type(error).__name__}"
