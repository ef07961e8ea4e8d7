"""Build a generation from the log beside the one that is read, and let readers see another one.

Nothing stops meanwhile: writers go on, the projector goes on with the live generation, and readers change
over from one statement to the next (ADR 9).
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psycopg
from psycopg import errors as pg

from eventlog.storage import PersonalKeys, read_log, stream_log
from projector.rebuild.build_process import BATCH, Connection, connect, for_throughput
from projector.write import generations
from projector.write.application import Application, lies_in_an_event, lock_live, lock_number
from projector.write.fold import RowExists
from projector.write.generations import GenerationInUse, administration, generation
from projector.write.indexes import make_indexes
from projector.write.projections.projected_event import ProjectedEvent, project
from projector.write.tables import Tables

TAIL = 200  # so few events may be left for the moment in which readers change over
LOCK_MILLISECONDS = 500
ATTEMPTS = 20


class ReadersInTheWay(Exception):
    """Long queries held the views for as long as a switch may wait."""

    def __init__(self) -> None:
        super().__init__("queries that take long hold the read models; nothing was switched, try again")


@dataclass(frozen=True, slots=True)
class RebuildProgress:
    """A rebuilding generation is at `position`; the log ended at `head` when it was last looked at.
    `indexes` are left to be made then.
    """

    generation: int
    position: int
    head: int
    indexes: int = 0


Report = Callable[[RebuildProgress], None]


@dataclass(frozen=True, slots=True)
class _Site:
    """Where a generation is built, with what, and who watches."""

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
    """Build a new generation up to the end of the log; its number. It stays `building` unless `switch`.

    `resume` goes on with one that was interrupted. Without `personal`, personal data reads as erased.

    Raises:
        AnotherAtWork: somebody rebuilds, switches or drops now.
        GenerationInUse: one is being built and `resume` was not said, or the other way round.
        ReadersInTheWay: it was built; switch it later.
    """
    with connect(database_url) as connection, administration(connection):
        number = _building(connection) if resume else generations.create(database_url)
        site = _Site(database_url, connection, number, report, personal)
        _catch_up(site)
        _index(site)
        if switch:
            _switch(site)
    return number


def switch(database_url: str, number: int, *, report: Report, personal: PersonalKeys | None = None) -> None:
    """Let readers see another generation: one that was built, or a retired one; it is caught up first.

    Raises:
        UnknownGeneration, GenerationInUse: it is live already.
        AnotherAtWork, ReadersInTheWay: nothing was switched.
    """
    with connect(database_url) as connection, administration(connection):
        if generation(connection, number).status == "live":
            raise GenerationInUse(f"generation {number} is live already")
        _switch(_Site(database_url, connection, number, report, personal))


def _building(connection: Connection) -> int:
    for found in generations.generations(connection):
        if found.status == "building":
            return found.generation
    raise GenerationInUse("no generation is being built")


def _catch_up(site: _Site) -> None:
    """Apply the log until a batch is not full. The next batch is read and understood while one is written."""
    application = Application(lock_number(site.number), Tables.copy)
    position = site.position
    with (
        for_throughput(),
        connect(site.database_url) as reader,
        ThreadPoolExecutor(1, thread_name_prefix="log") as thread,
    ):
        head = _head(site.connection)
        site.report(RebuildProgress(site.number, position, head))
        coming = thread.submit(_read, reader, position, site.personal)
        while projected := coming.result():
            full = len(projected) == BATCH
            coming = thread.submit(_read, reader, projected[-1].position, site.personal)
            position = application.advance(site.connection, projected).position
            if position >= head:
                head = _head(site.connection)
            site.report(RebuildProgress(site.number, position, max(head, position)))
            if not full:
                coming.result()
                return


def _read(reader: Connection, after: int, personal: PersonalKeys | None) -> Sequence[ProjectedEvent]:
    return [project(event) for event in stream_log(reader, after, BATCH, personal=personal)]


def _index(site: _Site) -> None:
    position = site.position
    for left in make_indexes(site.database_url, site.connection, site.number):
        site.report(RebuildProgress(site.number, position, position, indexes=left))


def _switch(site: _Site) -> None:
    _catch_up(site)
    _index(site)
    for _ in range(ATTEMPTS):
        _catch_up(site)
        try:
            if _change_over(site.connection, site.number, site.personal):
                return
        except pg.LockNotAvailable:
            continue
        except (psycopg.Error, RowExists) as error:
            if not lies_in_an_event(error):
                raise  # else the next catching up parks it
    raise ReadersInTheWay


def _change_over(connection: Connection, number: int, personal: PersonalKeys | None) -> bool:
    """In one transaction: no event is applied to the live generation any more, this one gets what it lacks,
    the views change. False if it lacked too much for such a moment.
    """
    application = Application(lock_number(number), Tables.copy)
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
            application.apply_locked(connection, target, projected)
        connection.execute("SELECT rm.go_live(%s)", (number,))
    return True


def _head(connection: Connection) -> int:
    row = connection.execute("SELECT coalesce(max(position), 0) FROM es.log").fetchone()
    return int(row[0]) if row else 0
