"""A concurrent consumer for a test, and what it leaves in the database."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from threading import Event
from typing import Any

import psycopg

from eventlog.consumers import ConcurrentConsumer
from eventlog.events import RecordedEvent, StoredEvent
from eventlog.storage import read_log
from tests.support.eventstore_suite import an_event
from tests.support.log import lead, relay_of, sequence_all, stream, writing
from tests.support.timing import waiting

Connection = psycopg.Connection[Any]
NAME = "verifier"
TYPES = frozenset({"credential.removed"})
TIERS = (timedelta(milliseconds=100), timedelta(milliseconds=200))


def write(url: str, count: int) -> list[StoredEvent]:
    with writing(url) as store, relay_of(url) as relay:
        for number in range(count):
            store.append(stream(f"s{number}"), 0, [an_event(f"e{number}")])
        sequence_all(relay, lead(relay))
        return read_log(relay, 0, count)


def concurrent_consumer(
    handle: Callable[[RecordedEvent], None],
    stop: Event,
    *,
    concurrency: int = 4,
    types: frozenset[str] = TYPES,
    tiers: Sequence[timedelta] = TIERS,
) -> ConcurrentConsumer:
    made = ConcurrentConsumer(handle, name=NAME, types=types, concurrency=concurrency, tiers=tiers, stop=stop)
    made.begin(0)
    return made


def position(event: RecordedEvent) -> int:
    assert event.position is not None
    return event.position


def take_until(taker: ConcurrentConsumer, connection: Connection, wanted: int) -> None:
    waiting(lambda: taker.handle(connection, []) == wanted, f"{wanted} is reached")


def dead_letters(connection: Connection) -> list[tuple[int, str]]:
    return connection.execute("SELECT position, reason FROM es.dead_letters ORDER BY position").fetchall()


def retries(connection: Connection) -> list[tuple[int, int, str]]:
    return connection.execute(
        "SELECT position, attempts, reason FROM es.retries ORDER BY position"
    ).fetchall()


def make_due(url: str) -> None:
    with psycopg.connect(url) as superuser:
        superuser.execute("UPDATE es.retries SET due_at = clock_timestamp()")


def tend_until(taker: ConcurrentConsumer, connection: Connection, condition: Callable[[], bool]) -> None:
    def tended() -> bool:
        taker.handle(connection, [])
        return condition()

    waiting(tended)
