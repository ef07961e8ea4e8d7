"""Publish the log to RabbitMQ in order, starting at the checkpoint. The leading relay does this.

The checkpoint is the highest position up to which every message is confirmed, or recorded as refused
(`refused_messages`). After a fault there are duplicates, but no gaps. Publishing has its own thread, so that
a slow or missing broker does not delay sequencing.
"""

from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta
from threading import Event, Lock
from time import monotonic
from typing import Any

import psycopg
import structlog

from chassis.database import ServiceConnection, session
from chassis.database_failure import outage_reason
from chassis.runtime.failures import Failures
from credentials.relay.event_messages import CheckKeys, Messages
from credentials.relay.lost_events import PublishedEventsLost, refuse_lost_events
from credentials.relay.published_batch import PublishedBatch
from credentials.relay.refused_messages import RefusedMessages
from eventlog.broker import (
    LONGEST_BACKOFF_SECONDS,
    MessagingError,
    OutgoingMessage,
    Publisher,
)
from eventlog.storage import PersonalKeys, StaleLeader, read_log

log = structlog.get_logger()

BATCH = 500
POLL_SECONDS = 0.5
CONFIRM_POLL_SECONDS = 0.005
RETRY_POLL_SECONDS = 1.0  # between two queries for refused messages that are due
GRACE_SECONDS = 2.0  # at the stop, for unconfirmed messages


class RelayPublisher:
    """Publishes the log. `announce` reports new positions; `run` needs a thread of its own.

    `check_keys` raises if the key file of this process is older than the database.
    """

    def __init__(
        self,
        database_url: str,
        broker_url: str,
        *,
        role: str,
        jitter: Callable[[], float],
        stop: Event,
        tiers: Sequence[timedelta] = (),
        personal: PersonalKeys | None = None,
        check_keys: CheckKeys | None = None,
    ) -> None:
        self._database_url = database_url
        self._broker_url = broker_url
        self._role = role
        self._jitter = jitter
        self._stop = stop
        self._personal = personal
        self._messages = Messages(check_keys)
        self._refused = RefusedMessages(tiers, personal, self._messages)
        self._failures = Failures("publishing_interrupted", longest=LONGEST_BACKOFF_SECONDS)
        self._lock = Lock()
        self._epoch = 0
        self._new_positions = Event()
        self._lost: PublishedEventsLost | None = None

    def check(self) -> None:
        """A readiness check: raise `PublishedEventsLost` while that is why nothing is published."""
        if (lost := self._lost) is not None:
            raise lost

    def announce(self, epoch: int, _position: int) -> None:
        """Report new positions, which the leader of this epoch assigned."""
        with self._lock:
            self._epoch = epoch
        self._new_positions.set()

    def run(self) -> None:
        """Publish until `stop` is set.

        Whether there is work follows from the epoch and the checkpoint. `_new_positions` only ends a wait, so
        that a failure leaves nothing undone.
        """
        superseded = 0  # the last epoch that does not lead; 0 precedes the first one
        while not self._stop.is_set():
            self._new_positions.clear()
            epoch = self._leading_epoch()
            if epoch == superseded:
                self._new_positions.wait(POLL_SECONDS)
                continue
            try:
                self._publish(epoch)
            except StaleLeader:
                log.warning("publisher_superseded")
                self._lost, superseded = None, epoch
            except Exception as error:
                self._lost = error if isinstance(error, PublishedEventsLost) else None
                known = isinstance(error, (MessagingError, PublishedEventsLost))
                reason = str(error) if known else outage_reason(error)
                self._stop.wait(self._failures.add(error, reason, jitter=self._jitter()))

    def _leading_epoch(self) -> int:
        with self._lock:
            return self._epoch

    def _publish(self, epoch: int) -> None:
        """Publish over one connection until another epoch begins."""
        with (
            ServiceConnection.connect(
                self._database_url,
                # A crash that undoes a checkpoint causes only duplicates, so no flush is needed.
                **session(self._role, part="publish", synchronous_commit="off", statement_timeout="15s"),
            ) as connection,
            Publisher(self._broker_url) as publisher,
        ):
            refuse_lost_events(connection, self._broker_url)
            self._lost = None
            self._messages.begin(connection)
            published = _published(connection)
            log.info("publishing", after=published)
            unconfirmed: deque[PublishedBatch] = deque()
            failure = "stopped"
            try:
                self._publish_after(connection, publisher, epoch, published, unconfirmed)
            except BaseException as error:
                failure = type(error).__name__
                raise
            finally:
                for batch in unconfirmed:
                    batch.end(failure)

    def _publish_after(
        self,
        connection: psycopg.Connection[Any],
        publisher: Publisher,
        epoch: int,
        position: int,
        unconfirmed: deque[PublishedBatch],
    ) -> None:
        """Publish and save confirmed positions. Unconfirmed batches do not delay the next ones."""
        saved, retried = position, monotonic()
        while not self._stop.is_set() and self._leading_epoch() == epoch:
            self._new_positions.clear()
            events = read_log(connection, position, BATCH, personal=self._personal)
            if events:
                first, position = position + 1, events[-1].position or position
                unconfirmed.append(batch := PublishedBatch(first, position))
                messages: list[OutgoingMessage] = []
                try:
                    messages.extend(
                        batch.publish(self._messages.message(connection, event)) for event in events
                    )
                finally:  # if an event cannot be read, those before it are published
                    publisher.submit(*messages)
            else:
                self._wait(publisher, unconfirmed)
            saved = self._settle(connection, publisher, epoch, saved, unconfirmed)
            if monotonic() - retried > RETRY_POLL_SECONDS:
                self._refused.retry_due(connection, epoch, lambda: Publisher(self._broker_url))
                retried = monotonic()
        if unconfirmed:
            publisher.wait_confirmed(position, GRACE_SECONDS)
            self._settle(connection, publisher, epoch, saved, unconfirmed)

    def _wait(self, publisher: Publisher, unconfirmed: deque[PublishedBatch]) -> None:
        """Wait for new positions, or until the oldest batch is confirmed.

        There is no timeout here: the publisher fails if the broker does not respond, and waits while the
        broker blocks it.
        """
        if not unconfirmed:
            self._new_positions.wait(POLL_SECONDS)
            return
        while not publisher.wait_confirmed(unconfirmed[0].last, CONFIRM_POLL_SECONDS):
            if self._new_positions.is_set() or self._stop.is_set():
                return

    def _settle(
        self,
        connection: psycopg.Connection[Any],
        publisher: Publisher,
        epoch: int,
        saved: int,
        unconfirmed: deque[PublishedBatch],
    ) -> int:
        """Save the confirmed position with the refused messages, and end the confirmed batches.

        Returns the checkpoint.
        """
        confirmed = publisher.confirmed()
        refused = publisher.take_refused()
        if confirmed > saved or refused:
            with connection.transaction():
                self._refused.record(connection, refused)
                _save(connection, epoch, confirmed)
            self._failures.reset()
        while unconfirmed and unconfirmed[0].last <= confirmed:
            unconfirmed.popleft().end()
        return max(saved, confirmed)


def _save(connection: psycopg.Connection[Any], epoch: int, position: int) -> None:
    row = connection.execute("SELECT es.published(%s, %s)", (epoch, position)).fetchone()
    if row is None or not row[0]:
        raise StaleLeader


def _published(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT published FROM es.relay WHERE name = 'log'").fetchone()
    return row[0] if row else 0
