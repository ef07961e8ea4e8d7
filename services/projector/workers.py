"""The shards of a generation, each built by a process of its own.

One Python process uses one core; decoding events and folding them is most of what a rebuild does. The
processes are spawned: one that is forked would share its parent's connections and threads. What they need
comes to them through a pipe, so that no other user of the machine reads it in a list of processes.

A process ends with the one that started it, whatever that died of. Whatever one of them dies of, what it has
committed stays, and the shard is gone on with from there.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection as Pipe
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from threading import Thread

import psycopg
import structlog

from projector import sharding
from projector.applying import Application, lies_in_an_event
from projector.building import BATCH, WHOLE_EVERY, Connection, connect, for_throughput
from projector.folding import RowExists
from projector.projections.reading import read
from projector.sharding import Shard, ShardLock
from shared.eventstore.log import read_log_of
from shared.eventstore.personal_keys import PersonalKeys
from shared.runtime.logs import configure_logs, redacted

log = structlog.get_logger()

OpenPersonal = Callable[[], PersonalKeys]

WATCH_SECONDS = 0.25
_SPAWNING = get_context("spawn")


class WorkerFailed(Exception):
    """A process that built a shard has ended before its time; the others were ended. `--resume` goes on."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"a process of the rebuild {reason}; `rebuild --resume` goes on from there")


@dataclass(frozen=True, slots=True)
class _Worker:
    process: BaseProcess
    outcome: Pipe


def build(
    database_url: str,
    shards: Sequence[Shard],
    *,
    at_once: int,
    personal: OpenPersonal | None,
    watch: Callable[[], None],
) -> None:
    """Build all of these shards to their ends, `at_once` of them side by side; `watch` is called meanwhile, a
    few times a second.

    `personal` is called in each process, and so has to be picklable where it is given.

    Raises:
        WorkerFailed: one of them did not get there.
    """
    waiting = iter(shards)
    with _workers() as running:

        def start(some: int) -> None:
            for shard in islice(waiting, some):
                running.append(_started(database_url, shard, personal))

        start(at_once)
        while running:
            wait([worker.process.sentinel for worker in running], WATCH_SECONDS)
            watch()
            ended = [worker for worker in running if worker.process.exitcode is not None]
            for worker in ended:
                _look_at(worker)
                running.remove(worker)
            start(len(ended))


def build_shard(database_url: str, shard: Shard, personal: PersonalKeys | None) -> None:
    """Apply what the shard lacks, in this process. The shard is whole, as `sharding.go_back` leaves it.

    Raises:
        ShardGone, LeftBehind: another one builds it, or nobody any more.
        psycopg.Error: the database is away, or refuses for a reason that does not lie in an event.
    """
    with for_throughput(), connect(database_url) as connection:
        try:
            _apply(connection, shard, personal, WHOLE_EVERY)
        except (psycopg.Error, RowExists) as error:
            if not lies_in_an_event(error):
                raise
            # Rows that were put off do not tell which event is to be parked: writing with each batch does.
            _apply(connection, sharding.go_back(connection, shard), personal, 1)
        sharding.finish(connection, shard)


def _apply(connection: Connection, shard: Shard, personal: PersonalKeys | None, whole_every: int) -> None:
    """Reading and writing take turns: while the database does either, another process has the core."""
    application = Application(ShardLock(shard), copying=True, whole_every=whole_every)
    position = shard.position
    while True:
        events = read_log_of(connection, shard.accounts, position, shard.until, BATCH, personal=personal)
        readings = [read(event) for event in events]
        if not readings:
            break
        del events
        position = application.advance(connection, readings).position
    application.complete(connection)


@contextmanager
def _workers() -> Iterator[list[_Worker]]:
    """Those that are in the list at the end are ended: the database undoes what they have not committed."""
    running: list[_Worker] = []
    try:
        yield running
    finally:
        for worker in running:
            worker.process.kill()
        for worker in running:
            worker.process.join()
            worker.outcome.close()


def _started(database_url: str, shard: Shard, personal: OpenPersonal | None) -> _Worker:
    outcome, tell = _SPAWNING.Pipe(duplex=False)
    process = _SPAWNING.Process(
        target=_work, args=(database_url, shard, personal, tell), name=f"shard-{shard.number}", daemon=True
    )
    process.start()
    tell.close()  # of ours, so that the pipe ends with the process
    return _Worker(process, outcome)


def _look_at(worker: _Worker) -> None:
    """Raises `WorkerFailed` unless it ended well."""
    code = worker.process.exitcode
    if code == 0:
        return
    try:
        reason = f"failed: {worker.outcome.recv()}"
    except EOFError:
        reason = f"was ended by signal {-code}" if code and code < 0 else f"ended with code {code}"
    raise WorkerFailed(reason)


def _work(database_url: str, shard: Shard, personal: OpenPersonal | None, tell: Pipe) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the parent ends the others
    configure_logs("projections")
    _end_with_parent()
    try:
        build_shard(database_url, shard, personal() if personal else None)
    except Exception as error:
        log.exception("shard_failed", generation=shard.generation, shard=shard.number)
        tell.send(f"{type(error).__name__}: {redacted(str(error))}")
        sys.exit(1)


def _end_with_parent() -> None:
    """Also where this process waits for the database."""
    parent = parent_process()
    if parent is not None:
        Thread(target=_end_after, args=([parent.sentinel],), name="parent", daemon=True).start()


def _end_after(sentinels: Iterable[int]) -> None:
    wait(sentinels)
    os._exit(1)
