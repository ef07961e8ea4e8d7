"""Failed events in a pool of threads are retried or dead-lettered, and delay no others, on a real PostgreSQL."""

from datetime import timedelta
from secrets import token_bytes
from threading import Event, Thread

import psycopg
import pytest

from chassis.database import open_pool
from eventlog.consumers import ConcurrentConsumer, concurrency
from eventlog.consumers.retries import Delivery, DeliveryOutcome, DeliveryResult, Retries
from eventlog.events import RecordedEvent
from eventlog.storage import EventStoreUnavailable, read_log
from eventlog.storage.log import load_checkpoint
from secretstore.keyfile import KEY_BYTES, KeyFile
from secretstore.personal_keys import open_personal_keys
from secretstore.store import SecretStoreUnavailable
from tests.integration.consumers.consuming import (
    NAME,
    TYPES,
    Connection,
    concurrent_consumer,
    dead_letters,
    make_due,
    position,
    retries,
    take_until,
    tend_until,
    write,
)
from tests.support.eventstore_suite import an_event
from tests.support.log import AnyEventStore, append_raw, lead, relay_of, sequence, stream
from tests.support.timing import PATIENCE, waiting


def test_a_failed_event_is_retried_and_delays_neither_others_nor_the_checkpoint(
    url: str, connection: Connection, stop: Event
) -> None:
    failing, handled = {2}, []

    def handle(event: RecordedEvent) -> None:
        if position(event) in failing:
            raise RuntimeError("the text of an exception is not stored")
        handled.append(position(event))

    taker = concurrent_consumer(handle, stop, tiers=[timedelta(hours=1)])
    taker.handle(connection, write(url, 4))
    take_until(taker, connection, 4)
    assert sorted(handled) == [1, 3, 4]
    assert retries(connection) == [(2, 1, "RuntimeError")]
    failing.clear()
    taker.handle(connection, [])
    assert len(handled) == 3  # it is not due
    make_due(url)
    tend_until(taker, connection, lambda: retries(connection) == [])
    assert handled[3:] == [2]
    assert dead_letters(connection) == []
    taker.close()


def test_a_retry_is_made_by_the_next_leader(url: str, connection: Connection, stop: Event) -> None:
    def fail(_event: RecordedEvent) -> None:
        raise RuntimeError

    first = concurrent_consumer(fail, stop, tiers=[timedelta(hours=1)] * 2)
    first.handle(connection, write(url, 2))
    take_until(first, connection, 2)
    first.close()
    handled: list[int] = []
    second = concurrent_consumer(lambda event: handled.append(position(event)), stop)
    second.begin(2)
    make_due(url)
    tend_until(second, connection, lambda: retries(connection) == [])
    assert sorted(handled) == [1, 2]
    second.close()


def test_retried_dead_and_discarded_events_are_not_handled_again_after_a_crash(
    url: str, connection: Connection, stop: Event
) -> None:
    """Event 1 is slow, 2 waits for a retry, 3 is a dead letter, 4 was discarded; then the process is killed."""
    events = write(url, 5)
    connection.execute(
        "INSERT INTO es.retries SELECT 'verifier', 2, stream_id, 1, now() + interval '1 hour', 'x' FROM es.log"
        " WHERE position = 2"
    )
    Retries(NAME, ()).record(
        connection, DeliveryResult(Delivery(events[2]), DeliveryOutcome.NOT_RETRIABLE, "a test")
    )
    with psycopg.connect(url) as superuser:
        superuser.execute(
            "INSERT INTO es.interventions (action, consumer, position, attempts, reason, person)"
            " VALUES ('discarded', 'verifier', 4, 1, 'x', 'ada')"
        )
    handled: list[int] = []
    taker = concurrent_consumer(lambda event: handled.append(position(event)), stop)
    taker.handle(connection, events)
    take_until(taker, connection, 5)
    assert sorted(handled) == [1, 5]
    taker.close()


def test_retries_leave_slots_for_new_events(url: str, connection: Connection, stop: Event) -> None:
    events, release, handled = write(url, 40), Event(), []
    for at in range(1, 31):
        connection.execute(
            "INSERT INTO es.retries SELECT 'verifier', position, stream_id, 1, now(), 'x' FROM es.log"
            " WHERE position = %s",
            (at,),
        )

    def handle(event: RecordedEvent) -> None:
        if position(event) <= 30:
            release.wait(PATIENCE)
        handled.append(position(event))

    taker = concurrent_consumer(handle, stop, concurrency=4)
    taker.handle(connection, events)
    take_until(taker, connection, 40)
    assert sorted(handled) == list(range(31, 41))
    release.set()
    tend_until(taker, connection, lambda: retries(connection) == [])
    assert len(handled) == 40
    taker.close()


def test_an_event_is_dead_lettered_after_its_last_attempt_and_delays_no_other(
    url: str, connection: Connection, stop: Event
) -> None:
    attempts: list[int] = []

    def handle(event: RecordedEvent) -> None:
        attempts.append(position(event))
        if position(event) == 2:
            raise RuntimeError("the text of an exception is not stored")

    taker = concurrent_consumer(handle, stop)
    taker.handle(connection, write(url, 5))
    waiting(lambda: len(set(attempts)) == 5)
    assert attempts.count(2) == 1  # the others did not wait for it
    take_until(taker, connection, 5)
    tend_until(taker, connection, lambda: dead_letters(connection) != [])
    assert retries(connection) == []
    assert attempts.count(2) == 3
    assert len(attempts) == 7
    assert dead_letters(connection) == [(2, "RuntimeError")]
    taker.close()


def test_an_event_that_cannot_be_read_is_dead_lettered_at_once(
    url: str, connection: Connection, stop: Event
) -> None:
    with psycopg.connect(url) as superuser:
        append_raw(superuser, "unreadable", 0, "unreadable")
    write(url, 1)
    handled: list[int] = []
    taker = concurrent_consumer(lambda event: handled.append(position(event)), stop)
    with relay_of(url) as relay:
        events = read_log(relay, 0, 10)
    taker.handle(connection, events)
    take_until(taker, connection, 2)
    assert handled == [2]
    ((at, reason),) = dead_letters(connection)
    assert at == 1
    assert "credential.removed" in reason
    taker.close()


def test_an_unavailable_dependency_is_waited_for_and_uses_no_attempt(
    url: str, connection: Connection, stop: Event
) -> None:
    failures: list[Exception] = [SecretStoreUnavailable("sealed"), EventStoreUnavailable()]
    handled = []

    def handle(event: RecordedEvent) -> None:
        if failures:
            raise failures.pop()
        handled.append(position(event))

    taker = concurrent_consumer(handle, stop, concurrency=1)
    taker.handle(connection, write(url, 2))
    take_until(taker, connection, 2)
    assert handled == [1, 2]
    assert dead_letters(connection) == []
    assert retries(connection) == []
    taker.close()


def test_a_dependency_that_stays_unavailable_postpones_the_event_and_uses_no_attempt(
    url: str, connection: Connection, stop: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concurrency, "WAIT_SECONDS", 0.1)
    away, handled = {1}, []

    def handle(event: RecordedEvent) -> None:
        if position(event) in away:
            raise SecretStoreUnavailable("sealed")
        handled.append(position(event))

    taker = concurrent_consumer(handle, stop, tiers=[])
    taker.handle(connection, write(url, 2))
    take_until(taker, connection, 2)
    assert retries(connection) == [(1, 0, "SecretStoreUnavailable")]
    away.clear()
    make_due(url)
    tend_until(taker, connection, lambda: retries(connection) == [])
    assert handled == [2, 1]
    assert dead_letters(connection) == []
    taker.close()


def test_a_stop_while_a_dependency_is_unavailable_leaves_the_event_for_the_next_start(
    url: str, connection: Connection, stop: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concurrency, "WAIT_SECONDS", 10 * PATIENCE)
    begun = Event()

    def handle(_event: RecordedEvent) -> None:
        begun.set()
        raise SecretStoreUnavailable("sealed")

    events = write(url, 9)  # more than are taken at once: handing them over waits
    taker = concurrent_consumer(handle, stop, concurrency=2)
    taking = Thread(target=lambda: taker.handle(connection, events))
    taking.start()
    assert begun.wait(PATIENCE)
    stop.set()
    taking.join(PATIENCE)
    assert not taking.is_alive()
    taker.close()
    assert load_checkpoint(connection, NAME) == 0
    assert dead_letters(connection) == []


def test_an_event_under_a_key_that_this_process_lacks_waits_for_a_process_that_has_it(
    url: str, connection: Connection, stop: Event
) -> None:
    """The key file is replaced and the processes are restarted one by one."""
    older, newer = key_file("k1"), key_file("k2")
    with open_pool(url, role="none", size=2) as pool, relay_of(url) as relay:
        AnyEventStore(pool, open_personal_keys(newer)).append(stream("s"), 0, [an_event("e")])
        sequence(relay, lead(relay))
    handled: list[int] = []
    for keys, expected in ((older, []), (newer, [1])):
        personal = open_personal_keys(keys)
        consumer = ConcurrentConsumer(
            lambda event: handled.append(position(event)),
            name=NAME,
            types=TYPES,
            concurrency=1,
            tiers=[timedelta(hours=1)] * 2,
            stop=stop,
            personal=personal,
        )
        consumer.begin(load_checkpoint(connection, NAME))
        consumer.handle(connection, read_log(connection, len(expected), 1, personal=personal))
        take_until(consumer, connection, 1)
        if keys is older:
            assert [attempts for _, attempts, _ in retries(connection)] == [1]
            make_due(url)
        else:
            tend_until(consumer, connection, lambda: retries(connection) == [])
        assert (handled, dead_letters(connection)) == (expected, [])
        consumer.close()


def key_file(name: str) -> KeyFile:
    return KeyFile(primary=name, keys={name: token_bytes(KEY_BYTES)}, pepper=token_bytes(KEY_BYTES))
