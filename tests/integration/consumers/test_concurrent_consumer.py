"""Events in a pool of threads, and a checkpoint that never runs ahead, on a real PostgreSQL."""

import time
from threading import Event, Lock, Semaphore, Thread

import pytest

from eventlog.events import RecordedEvent
from eventlog.storage import EventStoreUnavailable, read_log
from eventlog.storage.log import load_checkpoint, save_checkpoint
from tests.integration.consumers.consuming import (
    NAME,
    Connection,
    concurrent_consumer,
    dead_letters,
    position,
    take_until,
    write,
)
from tests.support.log import relay_of
from tests.support.timing import PATIENCE, waiting


def test_the_checkpoint_waits_for_the_slowest_event(url: str, connection: Connection, stop: Event) -> None:
    events, release, seen, lock = write(url, 6), Event(), [], Lock()

    def handle(event: RecordedEvent) -> None:
        if position(event) == 2:
            release.wait(PATIENCE)
        with lock:
            seen.append(position(event))

    taker = concurrent_consumer(handle, stop)
    taker.handle(connection, events)
    take_until(taker, connection, 1)
    waiting(lambda: len(seen) == 5)
    assert taker.handle(connection, []) == load_checkpoint(connection, NAME) == 1
    release.set()
    take_until(taker, connection, 6)
    assert load_checkpoint(connection, NAME) == 6
    assert sorted(seen) == [1, 2, 3, 4, 5, 6]
    assert seen[-1] == 2
    taker.close()


def test_no_more_events_are_handled_at_once_than_the_concurrency(
    url: str, connection: Connection, stop: Event
) -> None:
    running, most, lock = [0], [0], Lock()

    def handle(_event: RecordedEvent) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        waiting(lambda: most[0] >= 3)
        time.sleep(0.02)
        with lock:
            running[0] -= 1

    taker = concurrent_consumer(handle, stop, concurrency=3)
    taker.handle(connection, write(url, 20))
    take_until(taker, connection, 20)
    assert most[0] == 3
    taker.close()


def test_events_of_other_types_are_skipped(url: str, connection: Connection, stop: Event) -> None:
    taker = concurrent_consumer(lambda _event: pytest.fail("not asked for"), stop, types=frozenset({"other"}))
    assert taker.handle(connection, write(url, 3)) == 3
    assert load_checkpoint(connection, NAME) == 3
    taker.close()


def test_a_late_failure_of_a_former_leader_makes_no_dead_letter(
    url: str, connection: Connection, stop: Event
) -> None:
    """It fails after the event was handled under the new leader."""
    release, calls = Event(), []

    def handle(event: RecordedEvent) -> None:
        calls.append(position(event))
        if len(calls) == 1:
            release.wait(PATIENCE)
            raise RuntimeError

    events = write(url, 1)
    taker = concurrent_consumer(handle, stop, tiers=[])
    taker.handle(connection, events)
    taker.begin(0)
    taker.handle(connection, events)
    take_until(taker, connection, 1)
    release.set()
    taker.finish(connection)
    assert calls == [1, 1]
    assert dead_letters(connection) == []


def test_events_in_flight_are_finished_and_saved_at_a_stop(
    url: str, connection: Connection, stop: Event
) -> None:
    begun, release = Semaphore(0), Event()

    def handle(_event: RecordedEvent) -> None:
        begun.release()
        release.wait(PATIENCE)

    events = write(url, 9)
    taker = concurrent_consumer(handle, stop, concurrency=2)
    taking = Thread(target=lambda: taker.handle(connection, events))
    taking.start()
    assert begun.acquire(timeout=PATIENCE)
    assert begun.acquire(timeout=PATIENCE)
    stop.set()
    release.set()
    taking.join(PATIENCE)
    done = taker.finish(connection)
    taker.close()
    # Two had begun and two were queued; a fifth may have got the first free slot.
    assert 2 <= done <= 5
    assert load_checkpoint(connection, NAME) == done


def test_a_consumer_with_an_outdated_checkpoint_begins_again(
    url: str, connection: Connection, stop: Event
) -> None:
    events = write(url, 3)
    taker = concurrent_consumer(lambda _event: None, stop)
    save_checkpoint(connection, NAME, after=0, position=2)  # another leader's

    def go_on() -> None:
        taker.handle(connection, events)
        take_until(taker, connection, 3)

    with pytest.raises(EventStoreUnavailable):
        go_on()
    assert load_checkpoint(connection, NAME) == 2
    taker.begin(2)
    with relay_of(url) as relay:
        taker.handle(connection, read_log(relay, 2, 10))
    take_until(taker, connection, 3)
    taker.close()
