"""Build a generation from the log, and switch queries to another generation.

Nothing stops meanwhile: commands are accepted, the projector updates the live generation, and queries change
to the new one between two statements (ADR 9).
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psycopg
from psycopg import errors as pg

from eventlog.storage import PersonalKeys, read_log, stream_log
from projector.rebuild.build_process import BATCH, Connection, connect, for_throughput
from projector.write import generations
from projector.write.batch_writer import BatchWriter, is_caused_by_event, lock_live, lock_number
from projector.write.combine import RowExists
from projector.write.generations import GenerationInUse, administration, generation
from projector.write.indexes import create_indexes
from projector.write.projections.projected_event import ProjectedEvent, project
from projector.write.tables import Tables

TAIL = 200  # the number of missing events that a switch may apply while it holds its locks
LOCK_MILLISECONDS = 500
ATTEMPTS = 20


class ReadersInTheWay(Exception):
    """Long queries held locks on the views during every attempt to switch."""

    def __init__(self) -> None:
        super().__init__("long queries use the read models; nothing was switched, try again")


@dataclass(frozen=True, slots=True)
class RebuildProgress:
    """The progress of a rebuild.

    `position` is the checkpoint of the generation, `head` the last known position of the log, and `indexes`
    the number of indexes that remain to be created.
    """

    generation: int
    position: int
    head: int
    indexes: int = 0


Report = Callable[[RebuildProgress], None]


@dataclass(frozen=True, slots=True)
class _RebuildContext:
    """The context of a rebuild: the database, the number of the generation, and the receiver of reports."""

    database_url: str
    connection: Connection
    number: int
    report: Report
    personal: PersonalKeys | None

    @property
    def position(self) -> int:
        return generation(self.connection, self.number).position


def rebuild(
    database_url: str,
    *,
    resume: bool,
    switch: bool,
    report: Report,
    personal: PersonalKeys | None = None,
) -> int:
    """Build a generation up to the end of the log; returns its number.

    Its status remains `building`, unless `switch` makes it live.

    `resume` continues an interrupted rebuild. Without `personal`, personal data reads as erased.

    Raises:
        AdministrationInProgress: another process rebuilds, switches or drops a generation now.
        GenerationInUse: a generation is being built without `resume`, or none is being built with `resume`.
        ReadersInTheWay: the generation was built but could not be switched to; switch later.
    """
    with connect(database_url) as connection, administration(connection):
        number = _building(connection) if resume else generations.create(database_url)
        context = _RebuildContext(database_url, connection, number, report, personal)
        _catch_up(context)
        _index(context)
        if switch:
            _switch(context)
    return number


def switch(database_url: str, number: int, *, report: Report, personal: PersonalKeys | None = None) -> None:
    """Make another generation live, a built or a retired one. The missing events are applied first.

    Raises:
        UnknownGeneration: there is no generation with this number.
        GenerationInUse: the generation is live already.
        AdministrationInProgress, ReadersInTheWay: nothing was switched.
    """
    with connect(database_url) as connection, administration(connection):
        if generation(connection, number).status == "live":
            raise GenerationInUse(f"generation {number} is live already")
        _switch(_RebuildContext(database_url, connection, number, report, personal))


def _building(connection: Connection) -> int:
    for found in generations.generations(connection):
        if found.status == "building":
            return found.generation
    raise GenerationInUse("no generation is being built")


def _catch_up(context: _RebuildContext) -> None:
    """Apply the log until a batch is not full. The next batch is read and projected while one is written."""
    batch_writer = BatchWriter(lock_number(context.number), Tables.copy)
    position = context.position
    with (
        for_throughput(),
        connect(context.database_url) as reader,
        ThreadPoolExecutor(1, thread_name_prefix="log") as thread,
    ):
        head = _head(context.connection)
        context.report(RebuildProgress(context.number, position, head))
        coming = thread.submit(_read, reader, position, context.personal)
        while projected := coming.result():
            full = len(projected) == BATCH
            coming = thread.submit(_read, reader, projected[-1].position, context.personal)
            position = batch_writer.advance(context.connection, projected).position
            if position >= head:
                head = _head(context.connection)
            context.report(RebuildProgress(context.number, position, max(head, position)))
            if not full:
                coming.result()
                return


def _read(reader: Connection, after: int, personal: PersonalKeys | None) -> Sequence[ProjectedEvent]:
    return [project(event) for event in stream_log(reader, after, BATCH, personal=personal)]


def _index(context: _RebuildContext) -> None:
    position = context.position
    for left in create_indexes(context.database_url, context.connection, context.number):
        context.report(RebuildProgress(context.number, position, position, indexes=left))


def _switch(context: _RebuildContext) -> None:
    _catch_up(context)
    _index(context)
    for _ in range(ATTEMPTS):
        _catch_up(context)
        try:
            if _change_over(context.connection, context.number, context.personal):
                return
        except pg.LockNotAvailable:
            continue
        except (psycopg.Error, RowExists) as error:
            if not is_caused_by_event(error):
                raise  # otherwise the next `_catch_up` makes the event a dead letter
    raise ReadersInTheWay


def _change_over(connection: Connection, number: int, personal: PersonalKeys | None) -> bool:
    """Switch in one transaction: lock the live generation, apply the missing events, and change the views.

    Returns false if more than `TAIL` events are missing.
    """
    batch_writer = BatchWriter(lock_number(number), Tables.copy)
    with connection.transaction():
        connection.execute(f"SET LOCAL lock_timeout = '{LOCK_MILLISECONDS}ms'")
        connection.execute("SET LOCAL synchronous_commit = on")
        live = lock_live(connection)
        target = lock_number(number)(connection)
        if target.position < live.position:
            lacking = live.position - target.position
            if lacking > TAIL:
                return False
            events = read_log(connection, target.position, lacking, personal=personal)
            projected = [project(event) for event in events]
            batch_writer.apply_locked(connection, target, projected)
        connection.execute("SET LOCAL ROLE NONE")  # the projector's role may not decide it
        connection.execute("SELECT rm.go_live(%s)", (number,))
    return True


def _head(connection: Connection) -> int:
    row = connection.execute("SELECT coalesce(max(position), 0) FROM es.log").fetchone()
    return int(row[0]) if row else 0
