"""The leading relay publishes the log to RabbitMQ, from its checkpoint on, in order.

The checkpoint moves to the highest position before which every message is confirmed: duplicates after a
fault, never a gap. It runs beside the sequencing, which a slow or absent broker must not hold up.
"""

from collections import deque
from collections.abc import Callable
from threading import Event, Lock
from typing import Any

import psycopg
import structlog

from chassis.runtime.backoff import backoff
from credentials.relay.published_batch import PublishedBatch
from eventlog.broker import (
    LONGEST_BACKOFF_SECONDS,
    MessagingError,
    OutgoingMessage,
    Publisher,
    outgoing_message,
)
from eventlog.storage import PersonalKeys, StaleLeader, read_log

log = structlog.get_logger()

BATCH = 500
POLL_SECONDS = 0.5
LOOK_SECONDS = 0.005  # for news, while nothing is confirmed
GRACE_SECONDS = 2.0  # at the end, for what is on its way


class RelayPublisher:
    """Tell it of positions with `announce`; run `run` in a thread of its own."""

    def __init__(
        self,
        database_url: str,
        broker_url: str,
        *,
        role: str,
        jitter: Callable[[], float],
        stop: Event,
        personal: PersonalKeys | None = None,
    ) -> None:
        self._database_url = database_url
        self._broker_url = broker_url
        self._role = role
        self._jitter = jitter
        self._stop = stop
        self._personal = personal
        self._lock = Lock()
        self._epoch = 0
        self._news = Event()

    def announce(self, epoch: int, _position: int) -> None:
        """There are positions to publish, given out by the leader of this epoch."""
        with self._lock:
            self._epoch = epoch
        self._news.set()

    def run(self) -> None:
        """Publish until `stop` is set."""
        attempt = 0
        while not self._stop.is_set():
            if not self._news.wait(POLL_SECONDS):
                continue
            try:
                self._publish()
            except StaleLeader:
                log.warning("publisher_superseded")
                self._news.clear()
            except Exception as error:
                expected = isinstance(error, (MessagingError, psycopg.Error))
                log.warning("publishing_interrupted", error=type(error).__name__, exc_info=not expected)
                self._stop.wait(backoff(attempt, longest=LONGEST_BACKOFF_SECONDS, jitter=self._jitter()))
                attempt += 1
            else:
                attempt = 0

    def _publish(self) -> None:
        with (
            psycopg.connect(
                self._database_url,
                autocommit=True,
                # A checkpoint that a crash undoes costs duplicates: not worth a flush each time.
                options=f"-c role={self._role} -c synchronous_commit=off",
                application_name=f"{self._role}:publish",
                connect_timeout=5,
            ) as connection,
            Publisher(self._broker_url) as publisher,
        ):
            published = _published(connection)
            log.info("publishing", after=published)
            on_its_way: deque[PublishedBatch] = deque()
            failure = "stopped"
            try:
                self._publish_behind(connection, publisher, published, on_its_way)
            except BaseException as error:
                failure = type(error).__name__
                raise
            finally:
                for told in on_its_way:
                    told.end(failure)

    def _publish_behind(
        self,
        connection: psycopg.Connection[Any],
        publisher: Publisher,
        position: int,
        on_its_way: deque[PublishedBatch],
    ) -> None:
        """What is confirmed is saved; what is not holds up nothing as long as the publisher takes more."""
        saved = position
        while not self._stop.is_set():
            self._news.clear()
            events = read_log(connection, position, BATCH, personal=self._personal)
            if events:
                first, position = position + 1, events[-1].position or position
                on_its_way.append(told := PublishedBatch(first, position))
                messages: list[OutgoingMessage] = []
                try:
                    messages.extend(told.publish(outgoing_message(event)) for event in events)
                finally:  # where one cannot be read, those before it are published all the same
                    publisher.submit(*messages)
            else:
                self._wait(publisher, on_its_way)
            saved = self._settle(connection, publisher, saved, on_its_way)
        if on_its_way:
            publisher.wait_confirmed(position, GRACE_SECONDS)
            self._settle(connection, publisher, saved, on_its_way)

    def _wait(self, publisher: Publisher, on_its_way: deque[PublishedBatch]) -> None:
        """Until there is news, or the oldest batch is confirmed. How long that may take the publisher knows:
        it fails when the broker is silent, and waits while it is blocked.
        """
        if not on_its_way:
            self._news.wait(POLL_SECONDS)
            return
        while not publisher.wait_confirmed(on_its_way[0].last, LOOK_SECONDS):
            if self._news.is_set() or self._stop.is_set():
                return

    def _settle(
        self,
        connection: psycopg.Connection[Any],
        publisher: Publisher,
        saved: int,
        on_its_way: deque[PublishedBatch],
    ) -> int:
        """Save what is confirmed by now, and tell of it; gives the checkpoint."""
        confirmed = publisher.confirmed()
        if confirmed > saved:
            self._save(connection, confirmed)
        while on_its_way and on_its_way[0].last <= confirmed:
            on_its_way.popleft().end()
        return max(saved, confirmed)

    def _save(self, connection: psycopg.Connection[Any], position: int) -> None:
        with self._lock:
            epoch = self._epoch
        row = connection.execute("SELECT es.published(%s, %s)", (epoch, position)).fetchone()
        if row is None or not row[0]:
            raise StaleLeader


def _published(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT published FROM es.relay WHERE name = 'log'").fetchone()
    return row[0] if row else 0
