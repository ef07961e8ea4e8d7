"""Positions announced by a queue: wake-ups for a consumer that reads the log.

A delivery is acknowledged once the consumer's checkpoint has passed its position, so that the queue holds
what is yet to be done. A message without a position goes to the dead-letter queue. Only who waits for news
consumes: a process that stands by would hold back messages that it never acknowledges.
"""

import secrets
from contextlib import suppress
from threading import Condition, Event, Thread
from typing import Any

import pika
import structlog
from pika.exceptions import AMQPError

from chassis.runtime.backoff import backoff
from eventlog.broker.cloudevents import position_of
from eventlog.broker.connection import LONGEST_BACKOFF_SECONDS, parameters
from eventlog.broker.errors import MalformedMessage

log = structlog.get_logger()

POLL_SECONDS = 0.5
CLOSE_SECONDS = 5.0


class PositionFeed:
    """A subscription in a thread of its own, from the first `wait` on; it connects again by itself."""

    def __init__(self, broker_url: str, queue: str, *, prefetch: int) -> None:
        self._parameters = parameters(broker_url)
        self._queue = queue
        self._prefetch = prefetch
        self._changed = Condition()
        self._highest = 0
        self._news = False
        self._done = 0
        self._unacknowledged: dict[int, int] = {}  # delivery tag to position, of this channel
        self._wanted = Event()
        self._closed = Event()
        self._connection: Any = None
        self._thread = Thread(target=self._run, name=f"feed-{queue}", daemon=True)
        self._thread.start()

    def wait(self, timeout: float) -> int:
        """The highest position announced so far: at once if there was something new since the last call, else
        after `timeout` seconds.
        """
        self._wanted.set()
        with self._changed:
            self._changed.wait_for(lambda: self._news, timeout)
            self._news = False
            return self._highest

    def acknowledge_through(self, position: int) -> None:
        """Everything up to `position` is done and committed."""
        with self._changed:
            if position <= self._done:
                return
            self._done = position
            due = any(announced <= position for announced in self._unacknowledged.values())
            connection = self._connection
        if due and connection is not None and connection.is_open:
            with suppress(AMQPError):  # it is closed since: then everything comes again anyway
                connection.add_callback_threadsafe(_nothing)  # wakes the thread that may acknowledge

    def release(self) -> None:
        """Consume no more until the next `wait`; what is not acknowledged comes to whoever consumes then."""
        self._wanted.clear()

    def close(self) -> None:
        """Stop; what is not acknowledged comes again to whoever consumes next."""
        self._closed.set()
        self._thread.join(CLOSE_SECONDS)

    # What follows runs in the feed's thread.

    def _run(self) -> None:
        attempt = 0
        while not self._closed.is_set():
            if not self._wanted.wait(POLL_SECONDS):
                continue
            try:
                self._consume()
                attempt = 0
            except (AMQPError, OSError) as error:
                if self._connection is not None:
                    attempt = 0
                log.warning("feed_lost_broker", queue=self._queue, error=type(error).__name__)
            self._forget()
            jitter = secrets.SystemRandom().random()
            self._closed.wait(backoff(attempt, longest=LONGEST_BACKOFF_SECONDS, jitter=jitter))
            attempt += 1

    def _consume(self) -> None:
        with pika.BlockingConnection(self._parameters) as connection:
            channel = connection.channel()
            channel.basic_qos(prefetch_count=self._prefetch)
            cancelled = Event()
            channel.add_on_cancel_callback(lambda _frame: cancelled.set())
            channel.basic_consume(self._queue, self._on_message)
            self._connection = connection
            log.info("feed_consumes", queue=self._queue)
            while self._wanted.is_set() and not self._closed.is_set():
                connection.process_data_events(time_limit=POLL_SECONDS)
                self._acknowledge(channel)
                if cancelled.is_set():
                    raise AMQPError("the broker ended the subscription")
            self._acknowledge(channel)  # what was done since

    def _on_message(self, channel: Any, method: Any, properties: Any, _body: bytes) -> None:
        try:
            position = position_of(properties.headers)
        except MalformedMessage:
            log.warning("malformed_message", queue=self._queue)
            channel.basic_reject(method.delivery_tag, requeue=False)
            return
        with self._changed:
            self._unacknowledged[method.delivery_tag] = position
            self._highest = max(self._highest, position)
            self._news = True
            self._changed.notify_all()

    def _acknowledge(self, channel: Any) -> None:
        """Acknowledge what is done: the oldest deliveries in one go, single ones that came out of order."""
        with self._changed:
            due = {tag for tag, position in self._unacknowledged.items() if position <= self._done}
            through = 0
            for tag in self._unacknowledged:  # in the order of delivery
                if tag not in due:
                    break
                through = tag
            for tag in due:
                del self._unacknowledged[tag]
        if through:
            channel.basic_ack(through, multiple=True)
        for tag in sorted(tag for tag in due if tag > through):
            channel.basic_ack(tag)

    def _forget(self) -> None:
        """Tags are good on their own channel only; the broker delivers again what was not acknowledged."""
        with self._changed:
            self._connection = None
            self._unacknowledged.clear()


def _nothing() -> None:
    """Run by the connection to return from its wait."""
