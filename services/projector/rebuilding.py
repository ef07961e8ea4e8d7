"""Build a generation from the log beside the one that is read, and let readers see another one.

Nothing stops meanwhile: writers go on, the projector goes on with the live generation, and readers change
over from one statement to the next (ADR 9).
"""

import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors as pg

from projector import generations
from projector.applying import Application, lies_in_an_event, lock_live, lock_number
from projector.folding import RowExists
from projector.generations import GenerationInUse, administration, generation
from projector.indexing import make_indexes
from projector.projections.reading import Reading, read
from shared.eventstore.log import read_log
from shared.eventstore.personal_keys import PersonalKeys

Connection = psycopg.Connection[Any]

ROLE = "regcred_projector"
# A transaction that writes holds back the positions of all that commit meanwhile (ADR 2): a batch takes
# about a fifth of a second. With 2000 a rebuild takes a third longer: the same rows are written more often.
BATCH = 5000
TAIL = 200  # so few events may be left for the moment in which readers change over
TURN_SECONDS = 0.001
LOCK_MILLISECONDS = 500
ATTEMPTS = 20


class ReadersInTheWay(Exception):
    """Long queries held the views for as long as a switch may wait."""

    def __init__(self) -> None:
        super().__init__("queries that take long hold the read models; nothing was switched, try again")


@dataclass(frozen=True, slots=True)
class Progress:
    """A rebuilding generation is at `position`; the log ended at `head` when it was last looked at.
    `indexes` are left to be made then.
    """

    generation: int
    position: int
    head: int
    indexes: int = 0


Report = Callable[[Progress], None]


@contextmanager
def connect(database_url: str) -> Iterator[Connection]:
    """A connection for building: what it commits need not reach the disk at once, since checkpoint and rows
    are lost together or not at all; the switch commits in full, and with it everything before.
    """
    with psycopg.connect(
        database_url,
        autocommit=True,
        options=f"-c role={ROLE} -c idle_in_transaction_session_timeout=10s -c synchronous_commit=off",
        application_name=f"{ROLE}:projections",
        connect_timeout=5,
    ) as connection:
        yield connection


def rebuild(
    database_url: str, *, resume: bool, switch: bool, report: Report, personal: PersonalKeys | None = None
) -> int:
    """Build a new generation up to the end of the log; its number. It stays `building` unless `switch`.

    `resume` goes on with one that was interrupted.

    Raises:
        AnotherAtWork: somebody rebuilds, switches or drops now.
        GenerationInUse: one is being built and `resume` was not said, or the other way round.
        ReadersInTheWay: it was built; switch it later.
    """
    with connect(database_url) as connection, administration(connection):
        number = _building(connection) if resume else generations.create(connection)
        _catch_up(database_url, connection, number, report, personal)
        _index(database_url, connection, number, report)
        if switch:
            _switch(database_url, connection, number, report, personal)
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
        _switch(database_url, connection, number, report, personal)


def _building(connection: Connection) -> int:
    for found in generations.generations(connection):
        if found.status == "building":
            return found.generation
    raise GenerationInUse("no generation is being built")


def _catch_up(
    database_url: str, connection: Connection, number: int, report: Report, personal: PersonalKeys | None
) -> None:
    """Apply the log until a batch is not full. The next batch is read and understood while one is written."""
    application = Application(lock_number(number), copying=True)
    position = generation(connection, number).position
    with (
        _for_throughput(),
        connect(database_url) as reader,
        ThreadPoolExecutor(1, thread_name_prefix="log") as thread,
    ):
        head = _head(connection)
        report(Progress(number, position, head))
        coming = thread.submit(_read, reader, position, personal)
        while readings := coming.result():
            full = len(readings) == BATCH
            coming = thread.submit(_read, reader, readings[-1].position, personal)
            position = application.advance(connection, readings).position
            if position >= head:
                head = _head(connection)
            report(Progress(number, position, max(head, position)))
            if not full:
                coming.result()
                return


@contextmanager
def _for_throughput() -> Iterator[None]:
    """This process builds, and does nothing else meanwhile.

    No collection: events, changes and rows have no cycles, their references' counts free them; looking for
    cycles among so many would take a third of the time. And short turns: the thread that writes has little to
    do each time the database takes more, and would wait 5 ms for the one that reads each time.
    """
    was_enabled, turn = gc.isenabled(), sys.getswitchinterval()
    gc.disable()
    sys.setswitchinterval(TURN_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(turn)
        if was_enabled:
            gc.enable()


def _read(reader: Connection, after: int, personal: PersonalKeys | None) -> Sequence[Reading]:
    return [read(event) for event in read_log(reader, after, BATCH, personal=personal)]


def _index(database_url: str, connection: Connection, number: int, report: Report) -> None:
    position = generation(connection, number).position
    for left in make_indexes(database_url, connection, number):
        report(Progress(number, position, position, indexes=left))


def _switch(
    database_url: str, connection: Connection, number: int, report: Report, personal: PersonalKeys | None
) -> None:
    _index(database_url, connection, number, report)
    for _ in range(ATTEMPTS):
        _catch_up(database_url, connection, number, report, personal)
        try:
            if _change_over(connection, number, personal):
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
    application = Application(lock_number(number), copying=True)
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
            readings = [read(event) for event in events]
            application.apply_locked(connection, target, readings)
        connection.execute("SELECT rm.go_live(%s)", (number,))
    return True


def _head(connection: Connection) -> int:
    row = connection.execute("SELECT coalesce(max(position), 0) FROM es.log").fetchone()
    return int(row[0]) if row else 0
