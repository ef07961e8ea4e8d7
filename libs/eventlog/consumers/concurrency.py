"""A consumer that handles single, slow events concurrently, with one checkpoint (ADR 10).

Each event before the checkpoint is handled, or is in `es.retries` or `es.dead_letters`.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from datetime import timedelta
from threading import BoundedSemaphore, Event, Lock
from time import monotonic

import structlog

from chassis.database import Connection
from chassis.database_failure import failure_reason
from chassis.runtime.backoff import backoff
from chassis.runtime.unavailable import Unavailable
from eventlog.consumers import delivery_report
from eventlog.consumers.consumer import LONGEST_BACKOFF_SECONDS
from eventlog.consumers.retries import Delivery, DeliveryOutcome, DeliveryResult, Retries
from eventlog.events.codec import decode_event
from eventlog.events.envelope import RecordedEvent, StoredEvent
from eventlog.events.errors import EventError, PersonalKeyMissing
from eventlog.events.positions import ContiguousPrefix
from eventlog.storage.errors import EventStoreUnavailable, StaleLeader
from eventlog.storage.log import save_checkpoint
from eventlog.storage.personal_keys import PersonalKeys

log = structlog.get_logger()

WAIT_SECONDS = 60.0  # for an unavailable dependency, in the worker thread; then the event is postponed
GRACE_SECONDS = 8.0  # for events in progress when the process stops
SAVE_SECONDS = 1.0  # between two saved checkpoints while all slots are occupied

Handle = Callable[[RecordedEvent], str | None]  # may return the outcome in a word, for the log line


class _Leadership:
    """The deliveries of one leadership.

    The results of deliveries that end after its loss are discarded. The next leader delivers these events
    again.
    """

    def __init__(self, checkpoint: int) -> None:
        self.saved = checkpoint
        self.saved_at = monotonic()
        self.settled: set[int] | None = None  # not read yet
        self.retrying: set[int] = set()
        self._lock = Lock()
        self._prefix = ContiguousPrefix(checkpoint)
        self._results: list[DeliveryResult] = []

    def skip(self, position: int) -> None:
        """Count an event as handled that this consumer does not have to handle."""
        with self._lock:
            self._prefix.done(position)

    def add(self, result: DeliveryResult) -> None:
        with self._lock:
            self._results.append(result)
            if not result.delivery.retried:
                self._prefix.done(result.delivery.position)

    def collect(self) -> tuple[int, list[DeliveryResult]]:
        """The position up to which every delivery has ended, and the results since the last call."""
        with self._lock:
            results, self._results = self._results, []
            return self._prefix.position, results


class ConcurrentConsumer:
    """An `EventConsumer` that handles events of some types in a pool of threads.

    `handle` must be idempotent. After a failure it is called again after each delay of `tiers`; then the
    event becomes a dead letter. An event that cannot be decoded becomes a dead letter at once, unless the key
    of its personal data is not in the key file of this process yet. While the
    database or the secret store is unavailable, an attempt waits and is not counted. Other events continue.
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
        self._slots = BoundedSemaphore(concurrency * 2)  # in progress or queued
        self._concurrent_retries = max(1, concurrency // 2)  # the remaining slots are for new events
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix=name)
        self._running: set[Future[None]] = set()
        self._leadership = _Leadership(0)
        self._outage = Event()

    def begin(self, checkpoint: int) -> None:
        self._leadership = _Leadership(checkpoint)

    def handle(self, connection: Connection, events: Sequence[StoredEvent]) -> int:
        leadership = self._leadership
        if leadership.settled is None:
            leadership.settled = self._retries.settled(connection, leadership.saved)
        self._start_due(connection, leadership)
        for delivery in map(Delivery, events):
            if delivery.event.type not in self._types or delivery.position in leadership.settled:
                leadership.skip(delivery.position)
                continue
            while not self._stop.is_set():
                if monotonic() - leadership.saved_at >= SAVE_SECONDS:
                    self._save(connection, leadership)
                if self._slots.acquire(timeout=SAVE_SECONDS):
                    self._start(leadership, delivery)
                    break
        return self._save(connection, leadership)

    def finish(self, connection: Connection) -> int:
        """Start no more events, wait up to `GRACE_SECONDS` for those in progress, and save their results."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        wait(list(self._running), timeout=GRACE_SECONDS)
        return self._save(connection, self._leadership)

    def close(self) -> None:
        """Wait for events in progress. Queued events are handled after the next start."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _start_due(self, connection: Connection, leadership: _Leadership) -> None:
        free = self._concurrent_retries - len(leadership.retrying)
        if free <= 0:
            return
        for delivery in self._retries.due(connection, free, excluding=leadership.retrying):
            if not self._slots.acquire(blocking=False):
                return
            leadership.retrying.add(delivery.position)
            self._start(leadership, delivery)

    def _start(self, leadership: _Leadership, delivery: Delivery) -> None:
        future = self._pool.submit(copy_context().run, self._work, leadership, delivery)
        self._running.add(future)
        future.add_done_callback(self._running.discard)

    def _save(self, connection: Connection, leadership: _Leadership) -> int:
        """Save results and checkpoint in one transaction.

        The transaction runs even if there is nothing to save, and so detects a lost connection or lease.
        """
        position, results = leadership.collect()
        with connection.transaction():
            for result in results:
                self._retries.record(connection, result)
            if position > leadership.saved and not save_checkpoint(
                connection, self._name, after=leadership.saved, position=position
            ):
                raise EventStoreUnavailable  # another process leads: begin again from its checkpoint
        leadership.saved, leadership.saved_at = position, monotonic()
        leadership.retrying -= {result.delivery.position for result in results}
        return position

    def _work(self, leadership: _Leadership, delivery: Delivery) -> None:
        try:
            with delivery_report.reported_delivery(self._name, delivery.event) as report:
                report.attempt = delivery.attempts + 1
                result = self._try(delivery, report)
                if result is None or result.outcome is not DeliveryOutcome.DONE:
                    report.outcome = result.outcome.value if result else "stopped"
            if result is not None:
                leadership.add(result)
        finally:
            self._slots.release()

    def _try(self, delivery: Delivery, report: delivery_report.DeliveryReport) -> DeliveryResult | None:
        """The result of one attempt. `None` if the process stops before it ends."""
        waited, waits = 0.0, 0
        while True:
            try:
                event = decode_event(delivery.event)
                report.about(event)
                report.outcome = self._handle(event) or "handled"
            except StaleLeader:
                return None  # the next leader delivers it again
            except PersonalKeyMissing as error:  # until this process has the new key file
                return DeliveryResult(delivery, DeliveryOutcome.FAILED, str(error))
            except EventError as error:
                return DeliveryResult(delivery, DeliveryOutcome.NOT_RETRIABLE, str(error))
            except Unavailable as error:
                self._record_outage(error)
                seconds = backoff(waits, longest=LONGEST_BACKOFF_SECONDS)
                if waited >= WAIT_SECONDS:
                    return DeliveryResult(delivery, DeliveryOutcome.POSTPONED, type(error).__name__)
                if self._stop.wait(seconds):
                    return None
                waited, waits = waited + seconds, waits + 1
            except Exception as error:
                log.exception("event_failed", consumer=self._name, position=delivery.position)
                return DeliveryResult(delivery, DeliveryOutcome.FAILED, type(error).__name__)
            else:
                self._outage.clear()
                return DeliveryResult(delivery, DeliveryOutcome.DONE)

    def _record_outage(self, error: Unavailable) -> None:
        """Log one line per outage, however many events wait."""
        if not self._outage.is_set():
            self._outage.set()
            kind, reason = type(error).__name__, failure_reason(error)
            log.warning("dependency_down", consumer=self._name, error=kind, reason=reason)
