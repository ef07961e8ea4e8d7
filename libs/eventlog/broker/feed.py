"""Wakes a consumer of the log with the positions of messages in its queue.

A message is acknowledged when the checkpoint of the consumer has passed its position, so the length of the
queue is the number of events to handle. A message with a position beyond the end of the log is acknowledged
and counted: consumers read the log by their checkpoint. A message without a position is rejected to the
dead-letter queue. Only the leading process consumes: a standby would hold messages that it never
acknowledges.
"""

import secrets
from contextlib import suppress
from threading import Condition, Event, Thread
from typing import Any

import structlog
from pika.exceptions import AMQPError

from chassis.observability.metrics import BEYOND_LOG
from chassis.runtime.failures import Failures
from eventlog.broker.cloudevents import position_of
from eventlog.broker.connection import LONGEST_BACKOFF_SECONDS, connect, failure_reason, parameters
from eventlog.broker.errors import MalformedMessage

log = structlog.get_logger()

POLL_SECONDS = 0.5
CLOSE_SECONDS = 5.0


class PositionFeed:
    """A subscription in its own thread, from the first `wait` on. It reconnects after a lost connection."""

    def __init__(self, broker_url: str, queue: str, *, prefetch: int) -> None:
        self._parameters = parameters(broker_url)
        self._queue = queue
        self._prefetch = prefetch
        self._changed = Condition()
        self._highest = 0
        self._has_new = False
        self._done = 0
        self._unacknowledged: dict[int, int] = {}  # delivery tag to position, for the current channel
        self._before_read: set[int] = set()  # delivery tags from before the last return of `wait`
        self._dropped: set[int] = set()  # delivery tags to acknowledge although nothing was handled
        self._wanted = Event()
        self._closed = Event()
        self._connection: Any = None
        self._thread = Thread(target=self._run, name=f"feed-{queue}", daemon=True)
        self._thread.start()

    def wait(self, timeout: float) -> int:
        """Wait for messages and return the highest position of all messages so far.

        Returns when there are messages since the last call, at the latest after `timeout` seconds.
        """
        self._wanted.set()
        with self._changed:
            self._changed.wait_for(lambda: self._has_new, timeout)
            self._has_new = False
            self._before_read = set(self._unacknowledged)
            return self._highest

    def acknowledge_through(self, position: int) -> None:
        """Acknowledge the messages up to `position`, whose events are handled and committed."""
        with self._changed:
            if position <= self._done:
                return
            self._done = position
            due = any(announced <= position for announced in self._unacknowledged.values())
        if due:
            self._interrupt()

    def drop_beyond(self, position: int) -> None:
        """Acknowledge messages whose position the log does not have, and log them.

        `position` is the end of the log, read after the last `wait`. The log had the event of every message
        when the message was published, so the log was restored or failed over since, or the message is
        forged. Without this, the broker would end the subscription after its time limit, again and again.
        """
        with self._changed:
            beyond = {
                tag: announced
                for tag, announced in self._unacknowledged.items()
                if announced > position and tag in self._before_read and tag not in self._dropped
            }
            self._dropped.update(beyond)
        if beyond:
            BEYOND_LOG.inc(len(beyond))
            log.error(
                "messages_beyond_the_log",
                queue=self._queue,
                messages=len(beyond),
                first=min(beyond.values()),
                log_position=position,
            )
            self._interrupt()

    def release(self) -> None:
        """Stop consuming until the next `wait`.

        The broker delivers unacknowledged messages to the next process.
        """
        self._wanted.clear()

    def close(self) -> None:
        """Stop. The broker delivers unacknowledged messages to the next process."""
        self._closed.set()
        self._thread.join(CLOSE_SECONDS)

    def _interrupt(self) -> None:
        """Let the thread of the feed acknowledge messages now."""
        connection = self._connection
        if connection is not None and connection.is_open:
            with suppress(AMQPError):  # closed in the meantime: the broker delivers all messages again
                connection.add_callback_threadsafe(_return_from_wait)

    # The methods below run in the thread of the feed.

    def _run(self) -> None:
        failures = Failures("feed_lost_broker", longest=LONGEST_BACKOFF_SECONDS, queue=self._queue)
        while not self._closed.is_set():
            if not self._wanted.wait(POLL_SECONDS):
                continue
            try:
                self._consume()
                failures.reset()
            except (AMQPError, OSError) as error:
                if self._connection is not None:
                    failures.reset()
                jitter = secrets.SystemRandom().random()
                self._closed.wait(failures.add(error, failure_reason(error), jitter=jitter))
            self._clear()

    def _consume(self) -> None:
        with connect(self._parameters) as connection:
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
                    raise AMQPError("the broker cancelled the subscription")
            self._acknowledge(channel)  # for events since the last wait

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
            self._has_new = True
            self._changed.notify_all()

    def _acknowledge(self, channel: Any) -> None:
        """Acknowledge handled and dropped messages: the oldest with one frame, others singly."""
        with self._changed:
            due = {
                tag
                for tag, position in self._unacknowledged.items()
                if position <= self._done or tag in self._dropped
            }
            through = 0
            for tag in self._unacknowledged:  # in the order of delivery
                if tag not in due:
                    break
                through = tag
            for tag in due:
                del self._unacknowledged[tag]
            self._dropped -= due
        if through:
            channel.basic_ack(through, multiple=True)
        for tag in sorted(tag for tag in due if tag > through):
            channel.basic_ack(tag)

    def _clear(self) -> None:
        """Discard the delivery tags, which are valid on their channel only.

        The broker delivers unacknowledged messages again.
        """
        with self._changed:
            self._connection = None
            self._unacknowledged.clear()
            self._before_read.clear()
            self._dropped.clear()


def _return_from_wait() -> None:
    """Does nothing. The connection returns from its wait to call it."""
