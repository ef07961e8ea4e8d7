"""The loop of every consumer: one leads, another takes over, and no event is skipped."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from threading import Event, Semaphore, Thread
from typing import Any

import psycopg
import pytest
from structlog.testing import capture_logs

from eventlog.consumers import Notifications, consumer, follow, leader
from eventlog.events import StoredEvent
from eventlog.storage import NOTIFICATIONS, EventStoreUnavailable
from eventlog.storage.log import load_checkpoint, save_checkpoint
from secretstore.store import SecretStoreUnavailable
from tests.support.eventstore_suite import an_event
from tests.support.log import lead, relay_of, sequence_all, stream, writing
from tests.support.timing import PATIENCE, waiting
from verifier.postgres_store import PostgresVerificationStore

Connection = psycopg.Connection[Any]
ROLE = "regcred_relay"
NAME = "housekeeping"
NEVER = 10 * PATIENCE  # no test waits that long
PAUSE = 2.0
LOCKED = 0.01  # before the next attempt to lead


class Recorder:
    """A consumer that records its events, and saves its checkpoint at each batch."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.taken: list[int] = []
        self.batches = 0
        self.failure: Exception | None = None
        self._checkpoint = 0

    def begin(self, checkpoint: int) -> None:
        self.begun.append(checkpoint)
        self._checkpoint = checkpoint

    def handle(self, connection: Connection, events: Sequence[StoredEvent]) -> int:
        if events and self.failure:
            raise self.failure
        if events:
            last = events[-1].position or 0
            if not save_checkpoint(connection, NAME, after=self._checkpoint, position=last):
                raise EventStoreUnavailable
            self._checkpoint = last
            self.batches += 1
            self.taken += [event.position or 0 for event in events]
        return self._checkpoint

    def finish(self, _connection: Connection) -> int:
        return self._checkpoint


@contextmanager
def following(
    url: str, recorder: Recorder, *, pause: float = 0.0, stop: Event | None = None
) -> Iterator[None]:
    stop = stop or Event()
    wakeups = Notifications(url, role=ROLE)

    def run() -> None:
        follow(recorder, database_url=url, role=ROLE, name=NAME, wakeups=wakeups, stop=stop, pause=pause)

    thread = Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        with psycopg.connect(url, autocommit=True) as superuser:  # it may be waiting for the next event
            superuser.execute("SELECT pg_notify(%s, '')", (NOTIFICATIONS,))
        thread.join(PATIENCE)
        assert not thread.is_alive()
        wakeups.close()


class Log:
    """Appends events, assigns positions and notifies, as the relay does."""

    def __init__(self, store: PostgresVerificationStore, relay: Connection) -> None:
        self._store, self._relay, self._epoch, self.last = store, relay, lead(relay), 0

    def grow(self, count: int) -> None:
        for number in range(self.last, self.last + count):
            self._store.append(stream(f"s{number}"), 0, [an_event(f"e{number}")])
        self.last = sequence_all(self._relay, self._epoch)
        self._relay.execute("SELECT pg_notify(%s, %s)", (NOTIFICATIONS, str(self.last)))

    def checkpoint(self) -> int:
        return load_checkpoint(self._relay, NAME)


@pytest.fixture
def log(url: str) -> Iterator[Log]:
    with writing(url) as store, relay_of(url) as relay:
        yield Log(store, relay)


def taken_next(log: Log, recorder: Recorder) -> None:
    log.grow(1)
    waiting(lambda: recorder.taken[-1:] == [log.last])


class Pausing(Event):
    """A stop event that holds the consumer in its pause until the test releases it."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.over = Semaphore(0), Semaphore(0)

    def wait(self, timeout: float | None = None) -> bool:
        if timeout != PAUSE:
            return super().wait(timeout)
        self.begun.release()
        self.over.acquire(timeout=PATIENCE)
        return self.is_set()


class Impatient(Event):
    """A stop event that records how long the consumer waits after each failure."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        if timeout != LOCKED:
            self.waits.append(timeout or 0.0)
        return super().wait(0.01)


def cut(url: str, application: str) -> int:
    with psycopg.connect(url, autocommit=True) as superuser:
        rows = superuser.execute(
            "SELECT pg_terminate_backend(l.pid) FROM es.leases l JOIN pg_stat_activity a USING (pid)"
            " WHERE a.application_name = %s",
            (application,),
        ).fetchall()
    return len(rows)


def test_events_come_in_order_after_a_notification(
    url: str, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "POLL_SECONDS", NEVER)
    recorder = Recorder()
    log.grow(3)
    with following(url, recorder):
        waiting(lambda: recorder.taken == [1, 2, 3])
        for _ in range(3):
            taken_next(log, recorder)
    assert log.checkpoint() == log.last
    assert recorder.begun == [0]


def test_events_that_arrive_in_a_pause_are_taken_together(url: str, log: Log) -> None:
    recorder, pausing = Recorder(), Pausing()
    with following(url, recorder, pause=PAUSE, stop=pausing):
        taken_next(log, recorder)
        assert pausing.begun.acquire(timeout=PATIENCE)
        for _ in range(5):
            log.grow(1)
        assert recorder.taken == [1]
        pausing.over.release()
        waiting(lambda: len(recorder.taken) == 6)
        assert recorder.batches == 2
        pausing.over.release()


def test_a_start_continues_after_the_checkpoint(url: str, log: Log) -> None:
    first, second = Recorder(), Recorder()
    log.grow(2)
    with following(url, first):
        waiting(lambda: first.taken == [1, 2])
    log.grow(2)
    with following(url, second):
        waiting(lambda: second.taken == [3, 4])
    assert second.begun == [2]


def test_the_second_consumer_takes_over_when_the_leader_loses_its_connection(url: str, log: Log) -> None:
    first, second = Recorder(), Recorder()
    with following(url, first):
        waiting(lambda: first.begun == [0])
        with following(url, second):
            log.grow(10)
            waiting(lambda: len(first.taken) == 10)
            assert second.begun == []
            cuts = 0
            while not second.begun and cuts < 20:
                cuts += cut(url, f"{ROLE}:{NAME}")
                log.grow(3)
                waiting(lambda: log.checkpoint() == log.last)
            log.grow(5)
            waiting(lambda: log.checkpoint() == log.last)
    together = first.taken + second.taken
    assert sorted(together) == list(range(1, log.last + 1))  # none skipped, and none twice
    assert first.taken == sorted(first.taken)
    assert second.taken == sorted(second.taken)
    assert second.taken


def test_the_second_consumer_takes_over_when_the_leader_stops(url: str, log: Log) -> None:
    first, second = Recorder(), Recorder()
    with ExitStack() as others:
        with following(url, first):
            waiting(lambda: first.begun == [0])
            log.grow(2)
            waiting(lambda: len(first.taken) == 2)
            others.enter_context(following(url, second))
        log.grow(2)
        waiting(lambda: second.taken == [3, 4])


@pytest.mark.parametrize(
    "failure",
    [SecretStoreUnavailable("sealed"), EventStoreUnavailable(), RuntimeError("a bug")],
    ids=["secret store away", "database away", "bug"],
)
def test_events_that_failed_come_again_until_they_are_taken(url: str, log: Log, failure: Exception) -> None:
    recorder = Recorder()
    recorder.failure = failure
    with following(url, recorder):
        log.grow(3)
        waiting(lambda: len(recorder.begun) >= 2)
        assert recorder.taken == []
        assert log.checkpoint() == 0
        recorder.failure = None
        waiting(lambda: recorder.taken == [1, 2, 3])
    assert log.checkpoint() == 3


@pytest.mark.parametrize(
    ("failure", "event", "traces"),
    [(SecretStoreUnavailable("sealed"), "consumer_waits", 0), (RuntimeError("a bug"), "consumer_failed", 1)],
    ids=["dependency away", "bug"],
)
def test_a_lasting_failure_is_retried_with_growing_intervals_and_logged_once(
    *, url: str, log: Log, failure: Exception, event: str, traces: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leader, "RETRY_SECONDS", LOCKED)
    recorder, impatient = Recorder(), Impatient()
    recorder.failure = failure
    log.grow(1)
    with capture_logs() as lines, following(url, recorder, stop=impatient):
        waiting(lambda: len(impatient.waits) >= 7)
    [logged] = [line for line in lines if line["event"] == event]
    assert impatient.waits[:7] == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert ("exc_info" in logged) == bool(traces)
    assert logged["error"] == type(failure).__name__


def test_a_cut_notification_connection_is_opened_again(
    url: str, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder()
    with following(url, recorder), psycopg.connect(url, autocommit=True) as superuser:
        taken_next(log, recorder)
        [first] = waiting(lambda: listeners(superuser))
        superuser.execute("SELECT pg_terminate_backend(%s)", (first,))
        taken_next(log, recorder)  # by the poll
        waiting(lambda: [pid for pid in listeners(superuser) if pid != first])
        monkeypatch.setattr(consumer, "POLL_SECONDS", NEVER)
        for _ in range(3):
            taken_next(log, recorder)


def listeners(superuser: Connection) -> list[int]:
    rows = superuser.execute(
        "SELECT pid FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()",
        (f"{ROLE}:listen",),
    ).fetchall()
    return [pid for (pid,) in rows]
