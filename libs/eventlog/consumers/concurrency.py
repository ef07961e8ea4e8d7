"""Many slow events at a time, each by itself, and yet one checkpoint: what it has passed is done, or waits in
`es.retries` or `es.dead_letters` (ADR 10).
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta
from threading import BoundedSemaphore, Event, Lock

import structlog

from chassis.database import Connection
from chassis.runtime.backoff import backoff
from chassis.runtime.unavailable import Unavailable
from eventlog.consumers import delivery_report
from eventlog.consumers.consumer import LONGEST_BACKOFF_SECONDS
from eventlog.consumers.retries import Delivery, Ended, Fate, Retries
from eventlog.events.codec import decode_event
from eventlog.events.envelope import RecordedEvent, StoredEvent
from eventlog.events.errors import EventError
from eventlog.events.positions import ContiguousPrefix
from eventlog.storage.errors import EventStoreUnavailable
from eventlog.storage.log import save_checkpoint
from eventlog.storage.personal_keys import PersonalKeys

log = structlog.get_logger()

WAIT_SECONDS = 60.0  # for a dependency that is away, in place; then the event is put off
GRACE_SECONDS = 8.0  # for what is in flight at the end
TEND_SECONDS = 1.0  # between two looks at the database while all slots are taken

Handle = Callable[[RecordedEvent], str | None]  # may give in a word how it ended, for the log


class _Leadership:
    """What was begun under one leadership. What still is in flight when it is lost reports to it, and nobody
    saves that: whoever leads next has its own.
    """

    def __init__(self, checkpoint: int) -> None:
        self.saved = checkpoint
        self.settled: set[int] | None = None  # not asked for yet
        self.retrying: set[int] = set()
        self._lock = Lock()
        self._prefix = ContiguousPrefix(checkpoint)
        self._ended: list[Ended] = []

    def passed(self, position: int) -> None:
        """Nothing is to be done about it."""
        with self._lock:
            self._prefix.done(position)

    def report(self, ended: Ended) -> None:
        with self._lock:
            self._ended.append(ended)
            if not ended.delivery.retried:
                self._prefix.done(ended.delivery.position)

    def collect(self) -> tuple[int, list[Ended]]:
        """The position up to which all have ended, and how those did that ended since the last call."""
        with self._lock:
            ended, self._ended = self._ended, []
            return self._prefix.position, ended


class ConcurrentConsumer:
    """A `Follower` that handles events of some types in a pool of threads.

    `handle` must be idempotent. An event that fails is tried again after each of `tiers`, then dead-lettered;
    one that cannot be read is dead-lettered at once. While the database or the secret store is away, the
    attempt waits, and counts for nothing. None of that holds up other events.
    """

    def __init__(
        self,
        handle: Handle,
        *,
        name: str,
        types: frozenset[str],
        concurrency: int,
        tiers: Sequence[timedelta],
        stop: Event,
        personal: PersonalKeys | None = None,
    ) -> None:
        self._handle = handle
        self._name = name
        self._types = types
        self._stop = stop
        self._retries = Retries(name, tiers, personal)
        self._slots = BoundedSemaphore(concurrency * 2)  # working, or next in line
        self._retried_at_once = max(1, concurrency // 2)  # the others are for new events
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix=name)
        self._running: set[Future[None]] = set()
        self._leadership = _Leadership(0)
        self._away = Event()

    def begin(self, checkpoint: int) -> None:
        self._leadership = _Leadership(checkpoint)

    def take(self, connection: Connection, events: Sequence[StoredEvent]) -> int:
        leadership = self._leadership
        if leadership.settled is None:
            leadership.settled = self._retries.settled(connection, leadership.saved)
        self._start_due(connection, leadership)
        for delivery in map(Delivery, events):
            if delivery.event.type not in self._types or delivery.position in leadership.settled:
                leadership.passed(delivery.position)
                continue
            while not self._stop.is_set():
                if self._slots.acquire(timeout=TEND_SECONDS):
                    self._start(leadership, delivery)
                    break
                self._save(connection, leadership)
        return self._save(connection, leadership)

    def finish(self, connection: Connection) -> int:
        """Begin nothing more, wait a little for what is in flight, and save how it ended."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        wait(list(self._running), timeout=GRACE_SECONDS)
        return self._save(connection, self._leadership)

    def close(self) -> None:
        """Wait for what is in flight; what has not begun is left for the next start."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _start_due(self, connection: Connection, leadership: _Leadership) -> None:
        free = self._retried_at_once - len(leadership.retrying)
        if free <= 0:
            return
        for delivery in self._retries.due(connection, free, besides=leadership.retrying):
            if not self._slots.acquire(blocking=False):
                return
            leadership.retrying.add(delivery.position)
            self._start(leadership, delivery)

    def _start(self, leadership: _Leadership, delivery: Delivery) -> None:
        future = self._pool.submit(self._work, leadership, delivery)
        self._running.add(future)
        future.add_done_callback(self._running.discard)

    def _save(self, connection: Connection, leadership: _Leadership) -> int:
        """Write down how things ended, and with that the checkpoint. It asks the database in any case."""
        position, ended = leadership.collect()
        with connection.transaction():
            for one in ended:
                self._retries.record(connection, one)
            if position > leadership.saved and not save_checkpoint(
                connection, self._name, after=leadership.saved, position=position
            ):
                raise EventStoreUnavailable  # somebody else leads: begin again from what they saved
        leadership.saved = position
        leadership.retrying -= {one.delivery.position for one in ended}
        return position

    def _work(self, leadership: _Leadership, delivery: Delivery) -> None:
        try:
            with delivery_report.reported_delivery(self._name, delivery.event) as report:
                report.attempt = delivery.attempts + 1
                ended = self._try(delivery, report)
                if ended is None or ended.fate is not Fate.DONE:
                    report.outcome = ended.fate.value if ended else "stopped"
            if ended is not None:
                leadership.report(ended)
        finally:
            self._slots.release()

    def _try(self, delivery: Delivery, report: delivery_report.DeliveryReport) -> Ended | None:
        """How it ended; `None` where it was stopped before it had."""
        waited, waits = 0.0, 0
        while True:
            try:
                event = decode_event(delivery.event)
                report.about(event.payload)
                report.outcome = self._handle(event) or "handled"
            except EventError as error:
                return Ended(delivery, Fate.HOPELESS, str(error))
            except Unavailable as error:
                self._record_outage(type(error).__name__)
                seconds = backoff(waits, longest=LONGEST_BACKOFF_SECONDS)
                if waited >= WAIT_SECONDS:
                    return Ended(delivery, Fate.PUT_OFF, type(error).__name__)
                if self._stop.wait(seconds):
                    return None
                waited, waits = waited + seconds, waits + 1
            except Exception as error:
                log.exception("event_failed", consumer=self._name, position=delivery.position)
                return Ended(delivery, Fate.FAILED, type(error).__name__)
            else:
                self._away.clear()
                return Ended(delivery, Fate.DONE)

    def _record_outage(self, error: str) -> None:
        """Once for each outage, however many events wait."""
        if not self._away.is_set():
            self._away.set()
            log.warning("dependency_down", consumer=self._name, error=error)
