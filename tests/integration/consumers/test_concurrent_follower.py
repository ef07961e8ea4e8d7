"""Single events in a pool of threads, and one checkpoint that never runs ahead: on a real PostgreSQL."""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from threading import Event, Lock, Semaphore, Thread
from typing import Any

import psycopg
import pytest

from shared.consumers import concurrency
from shared.consumers.concurrency import ConcurrentFollower
from shared.events.envelope import RecordedEvent, StoredEvent
from shared.eventstore.errors import EventStoreUnavailable
from shared.eventstore.log import load_checkpoint, park, read_log, save_checkpoint
from shared.secretstore.store import SecretStoreUnavailable
from tests.support.eventstore_suite import an_event
from tests.support.log import append_raw, fresh_log, lead, relay_of, sequence, stream, writing
from tests.support.timing import waiting

Connection = psycopg.Connection[Any]
NAME = "verifier"
TYPES = frozenset({"credential.removed"})
TIERS = (timedelta(milliseconds=100), timedelta(milliseconds=200))


@pytest.fixture
def url() -> Iterator[str]:
    with fresh_log() as made:
        yield made


@pytest.fixture
def connection(url: str) -> Iterator[Connection]:
    with psycopg.connect(url, autocommit=True, options="-c role=regcred_verifier") as made:
        yield made


@pytest.fixture
def stop() -> Iterator[Event]:
    made = Event()
    yield made
    made.set()


def write(url: str, count: int) -> list[StoredEvent]:
    with writing(url) as store, relay_of(url) as relay:
        for number in range(count):
            store.append(stream(f"s{number}"), 0, [an_event(f"e{number}")])
        sequence(relay, lead(relay))
        return read_log(relay, 0, count)


def follower(
    handle: Callable[[RecordedEvent], None],
    stop: Event,
    *,
    concurrency: int = 4,
    types: frozenset[str] = TYPES,
    tiers: Sequence[timedelta] = TIERS,
) -> ConcurrentFollower:
    made = ConcurrentFollower(handle, name=NAME, types=types, concurrency=concurrency, tiers=tiers, stop=stop)
    made.begin(0)
    return made


def position(event: RecordedEvent) -> int:
    assert event.position is not None
    return event.position


def take_until(taker: ConcurrentFollower, connection: Connection, wanted: int) -> None:
    waiting(lambda: taker.take(connection, []) == wanted, f"{wanted} is reached")


def parked(connection: Connection) -> list[tuple[int, str]]:
    return connection.execute("SELECT position, reason FROM es.parked ORDER BY position").fetchall()


def test_the_checkpoint_waits_for_the_slowest_and_then_passes_all(
    url: str, connection: Connection, stop: Event
) -> None:
    events, release, seen, lock = write(url, 6), Event(), [], Lock()

    def handle(event: RecordedEvent) -> None:
        if position(event) == 2:
            release.wait(10)
        with lock:
            seen.append(position(event))

    taker = follower(handle, stop)
    taker.take(connection, events)
    take_until(taker, connection, 1)
    while len(seen) < 5:
        time.sleep(0.01)
    assert taker.take(connection, []) == load_checkpoint(connection, NAME) == 1
    release.set()
    take_until(taker, connection, 6)
    assert load_checkpoint(connection, NAME) == 6
    assert sorted(seen) == [1, 2, 3, 4, 5, 6]
    assert seen[-1] == 2
    taker.close()


def test_no_more_than_so_many_at_once(url: str, connection: Connection, stop: Event) -> None:
    running, most, lock = [0], [0], Lock()

    def handle(_event: RecordedEvent) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.02)
        with lock:
            running[0] -= 1

    taker = follower(handle, stop, concurrency=3)
    taker.take(connection, write(url, 20))
    take_until(taker, connection, 20)
    assert most[0] == 3
    taker.close()


def test_events_of_other_types_are_passed(url: str, connection: Connection, stop: Event) -> None:
    taker = follower(lambda _event: pytest.fail("not asked for"), stop, types=frozenset({"other"}))
    assert taker.take(connection, write(url, 3)) == 3
    assert load_checkpoint(connection, NAME) == 3
    taker.close()


def retries(connection: Connection) -> list[tuple[int, int, str]]:
    return connection.execute(
        "SELECT position, attempts, reason FROM es.retries ORDER BY position"
    ).fetchall()


def make_due(url: str) -> None:
    with psycopg.connect(url) as superuser:
        superuser.execute("UPDATE es.retries SET due_at = clock_timestamp()")


def tend_until(taker: ConcurrentFollower, connection: Connection, condition: Callable[[], bool]) -> None:
    def tended() -> bool:
        taker.take(connection, [])
        return condition()

    waiting(tended)


def test_what_fails_waits_is_tried_again_and_holds_up_neither_others_nor_the_checkpoint(
    url: str, connection: Connection, stop: Event
) -> None:
    failing, handled = {2}, []

    def handle(event: RecordedEvent) -> None:
        if position(event) in failing:
            raise RuntimeError("what a message may say is not kept")
        handled.append(position(event))

    taker = follower(handle, stop, tiers=[timedelta(hours=1)])
    taker.take(connection, write(url, 4))
    take_until(taker, connection, 4)
    assert sorted(handled) == [1, 3, 4]
    assert retries(connection) == [(2, 1, "RuntimeError")]
    failing.clear()
    taker.take(connection, [])
    assert len(handled) == 3  # its time has not come
    make_due(url)
    tend_until(taker, connection, lambda: retries(connection) == [])
    assert handled[3:] == [2]
    assert parked(connection) == []
    taker.close()


def test_a_retry_survives_the_process_and_is_made_by_whoever_leads_next(
    url: str, connection: Connection, stop: Event
) -> None:
    def fail(_event: RecordedEvent) -> None:
        raise RuntimeError

    first = follower(fail, stop, tiers=[timedelta(hours=1)] * 2)
    first.take(connection, write(url, 2))
    take_until(first, connection, 2)
    first.close()
    handled: list[int] = []
    second = follower(lambda event: handled.append(position(event)), stop)
    second.begin(2)
    make_due(url)
    tend_until(second, connection, lambda: retries(connection) == [])
    assert sorted(handled) == [1, 2]
    second.close()


def test_what_was_set_aside_is_not_handled_again_behind_a_checkpoint_that_lags(
    url: str, connection: Connection, stop: Event
) -> None:
    """Event 1 is slow, 2 and 3 have failed, 4 was discarded meanwhile; then the process dies."""
    events = write(url, 5)
    connection.execute(
        "INSERT INTO es.retries SELECT 'verifier', 2, stream_id, 1, now() + interval '1 hour', 'x' FROM es.log"
        " WHERE position = 2"
    )
    park(connection, NAME, 3, "a test")
    with psycopg.connect(url) as superuser:
        superuser.execute(
            "INSERT INTO es.interventions (action, consumer, position, attempts, reason, person)"
            " VALUES ('discarded', 'verifier', 4, 1, 'x', 'ada')"
        )
    handled: list[int] = []
    taker = follower(lambda event: handled.append(position(event)), stop)
    taker.take(connection, events)
    take_until(taker, connection, 5)
    assert sorted(handled) == [1, 5]
    taker.close()


def test_work_of_a_lost_leadership_says_nothing_to_the_next(
    url: str, connection: Connection, stop: Event
) -> None:
    """It fails late: the event was handled well under the new leadership, and must not be set aside."""
    release, calls = Event(), []

    def handle(event: RecordedEvent) -> None:
        calls.append(position(event))
        if len(calls) == 1:
            release.wait(10)
            raise RuntimeError

    events = write(url, 1)
    taker = follower(handle, stop, tiers=[])
    taker.take(connection, events)
    taker.begin(0)
    taker.take(connection, events)
    take_until(taker, connection, 1)
    release.set()
    taker.finish(connection)
    assert calls == [1, 1]
    assert parked(connection) == []


def test_retries_leave_room_for_what_is_new(url: str, connection: Connection, stop: Event) -> None:
    events, release, handled = write(url, 40), Event(), []
    for at in range(1, 31):
        connection.execute(
            "INSERT INTO es.retries SELECT 'verifier', position, stream_id, 1, now(), 'x' FROM es.log"
            " WHERE position = %s",
            (at,),
        )

    def handle(event: RecordedEvent) -> None:
        if position(event) <= 30:
            release.wait(10)
        handled.append(position(event))

    taker = follower(handle, stop, concurrency=4)
    taker.take(connection, events)
    take_until(taker, connection, 40)
    assert sorted(handled) == list(range(31, 41))
    release.set()
    tend_until(taker, connection, lambda: retries(connection) == [])
    assert len(handled) == 40
    taker.close()


def test_what_is_in_flight_at_the_end_is_finished_and_saved(
    url: str, connection: Connection, stop: Event
) -> None:
    begun = Semaphore(0)

    def handle(_event: RecordedEvent) -> None:
        begun.release()
        time.sleep(0.3)

    events = write(url, 9)
    taker = follower(handle, stop, concurrency=2)
    taking = Thread(target=lambda: taker.take(connection, events))
    taking.start()
    assert begun.acquire(timeout=5)
    assert begun.acquire(timeout=5)
    stop.set()
    taking.join(5)
    done = taker.finish(connection)
    taker.close()
    assert 2 <= done <= 4  # those that had begun, and what a thread had taken up since
    assert load_checkpoint(connection, NAME) == done


def test_poison_is_parked_after_its_last_attempt_and_holds_up_nothing(
    url: str, connection: Connection, stop: Event
) -> None:
    attempts: list[int] = []

    def handle(event: RecordedEvent) -> None:
        attempts.append(position(event))
        if position(event) == 2:
            raise RuntimeError("what a message may say is not kept")

    taker = follower(handle, stop)
    taker.take(connection, write(url, 5))
    waiting(lambda: len(set(attempts)) == 5)
    assert attempts.count(2) == 1  # the others did not wait for it
    take_until(taker, connection, 5)
    tend_until(taker, connection, lambda: parked(connection) != [])
    assert retries(connection) == []
    assert attempts.count(2) == 3
    assert len(attempts) == 7
    assert parked(connection) == [(2, "RuntimeError")]
    taker.close()


def test_an_event_that_cannot_be_read_is_parked_at_once(
    url: str, connection: Connection, stop: Event
) -> None:
    with psycopg.connect(url) as superuser:
        append_raw(superuser, "unreadable", 0, "unreadable")
    write(url, 1)
    handled: list[int] = []
    taker = follower(lambda event: handled.append(position(event)), stop)
    with relay_of(url) as relay:
        events = read_log(relay, 0, 10)
    taker.take(connection, events)
    take_until(taker, connection, 2)
    assert handled == [2]
    ((at, reason),) = parked(connection)
    assert at == 1
    assert "credential.removed" in reason
    taker.close()


def test_a_dependency_that_is_down_is_waited_for_and_counts_as_no_failure(
    url: str, connection: Connection, stop: Event
) -> None:
    failures: list[Exception] = [SecretStoreUnavailable("sealed"), EventStoreUnavailable()]
    handled = []

    def handle(event: RecordedEvent) -> None:
        if failures:
            raise failures.pop()
        handled.append(position(event))

    taker = follower(handle, stop, concurrency=1)
    taker.take(connection, write(url, 2))
    take_until(taker, connection, 2)
    assert handled == [1, 2]
    assert parked(connection) == []
    assert retries(connection) == []
    taker.close()


def test_a_dependency_that_stays_away_puts_the_event_off_and_uses_up_no_attempt(
    url: str, connection: Connection, stop: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concurrency, "WAIT_SECONDS", 0.1)
    away, handled = {1}, []

    def handle(event: RecordedEvent) -> None:
        if position(event) in away:
            raise SecretStoreUnavailable("sealed")
        handled.append(position(event))

    taker = follower(handle, stop, tiers=[])
    taker.take(connection, write(url, 2))
    take_until(taker, connection, 2)
    assert retries(connection) == [(1, 0, "SecretStoreUnavailable")]
    away.clear()
    make_due(url)
    tend_until(taker, connection, lambda: retries(connection) == [])
    assert handled == [2, 1]
    assert parked(connection) == []
    taker.close()


def test_stopped_while_a_dependency_is_down_leaves_the_event_for_the_next_start(
    url: str, connection: Connection, stop: Event
) -> None:
    begun = Event()

    def handle(_event: RecordedEvent) -> None:
        begun.set()
        raise SecretStoreUnavailable("sealed")

    events = write(url, 9)  # more than are taken at once: handing them over waits
    taker = follower(handle, stop, concurrency=2)
    taking = Thread(target=lambda: taker.take(connection, events))
    taking.start()
    assert begun.wait(5)
    started = time.monotonic()
    stop.set()
    taking.join(5)
    taker.close()
    assert time.monotonic() - started < 10
    assert load_checkpoint(connection, NAME) == 0
    assert parked(connection) == []


def test_who_was_overtaken_begins_again(url: str, connection: Connection, stop: Event) -> None:
    events = write(url, 3)
    taker = follower(lambda _event: None, stop)
    save_checkpoint(connection, NAME, after=0, position=2)  # another leader's

    def go_on() -> None:
        taker.take(connection, events)
        take_until(taker, connection, 3)

    with pytest.raises(EventStoreUnavailable):
        go_on()
    assert load_checkpoint(connection, NAME) == 2
    taker.begin(2)
    with relay_of(url) as relay:
        taker.take(connection, read_log(relay, 2, 10))
    take_until(taker, connection, 3)
    taker.close()
