"""The relay's publisher: asynchronous confirms with a window, in a thread that owns the connection.

One confirm at a time gives about a thousand messages per second, a window of 500 twenty times that
(`docs/reference/messaging.md`, "Publisher confirms"). A message that the broker returns (no queue for it) or
refuses ends the connection: it is never skipped. After any fault the relay begins again from its checkpoint.
"""

from collections import deque
from collections.abc import Sequence
from itertools import takewhile
from threading import Condition, RLock, Thread
from time import monotonic
from types import TracebackType
from typing import Any, Self

import pika
import structlog

from eventlog.broker.cloudevents import CONTENT_TYPE, OutgoingMessage, position_of
from eventlog.broker.connection import parameters
from eventlog.broker.errors import BrokerUnavailable, MalformedMessage, MessagingError, PublishRefused
from eventlog.events.positions import ContiguousPrefix
from eventlog.topology import EXCHANGE

log = structlog.get_logger()

WINDOW = 500
# Where there are enough messages, they are handed over in such parts of the window at least: one by one, two
# threads would wake one another for each.
PARTS = 4
CONNECT_SECONDS = 15.0
SILENCE_SECONDS = 10.0  # without a confirm: then the connection is taken for dead
CLOSE_SECONDS = 5.0


class Publisher:
    """One connection. Use it as a context; when it has failed, make another one.

    `submit`, `wait_confirmed` and `confirmed` are for one thread.
    """

    def __init__(self, broker_url: str, *, window: int = WINDOW, exchange: str = EXCHANGE) -> None:
        self._parameters = parameters(broker_url)
        self._window = window
        self._part = max(1, window // PARTS)
        self._exchange = exchange
        lock = RLock()
        self._changed = Condition(lock)  # open, confirmed, or failed
        self._roomy = Condition(lock)  # there is as much room as is wanted, or it failed
        self._wanted = 1
        self._failure: MessagingError | None = None
        self._open = False
        self._closing = False
        self._blocked = False
        self._prefix: ContiguousPrefix | None = None
        self._outbox: deque[OutgoingMessage] = deque()
        self._pending: dict[int, tuple[int, float]] = {}  # delivery tag to position and time, in order
        self._returned: set[int] = set()
        self._tag = 0
        self._connection: Any = None
        self._channel: Any = None
        self._thread = Thread(target=self._run, name="publisher", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        with self._changed:
            ended = self._changed.wait_for(lambda: self._open or self._failure, CONNECT_SECONDS)
        if not ended:
            self._fail(BrokerUnavailable("it did not answer in time"))
        if self._failure:
            self._release()
            raise self._failure
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def submit(self, *messages: OutgoingMessage) -> None:
        """Hand over the next messages, in the order of positions and without a gap. Waits while the window is
        full or the broker holds us back.

        Raises:
            BrokerUnavailable, PublishRefused: this publisher is of no more use.
        """
        done = 0
        while done < len(messages):
            done += self._submit_part(messages[done : done + self._window])

    def _submit_part(self, messages: Sequence[OutgoingMessage]) -> int:
        """As many as the window has room for, and not too few at a time; how many."""
        wanted = min(len(messages), self._part)
        with self._changed:
            self._wanted = wanted
            self._roomy.wait_for(lambda: self._room() >= wanted or self._failure)
            if self._failure:
                raise self._failure
            if self._prefix is None:
                self._prefix = ContiguousPrefix(messages[0].position - 1)
            wake, part = not self._outbox, messages[: self._room()]
            self._outbox.extend(part)
        if wake:
            self._connection.ioloop.add_callback_threadsafe(self._pump)
        return len(part)

    def confirmed(self) -> int:
        """The position before which, and at which, everything submitted is confirmed; 0 before the first."""
        with self._changed:
            return self._prefix.position if self._prefix else 0

    def wait_confirmed(self, position: int, timeout: float) -> bool:
        """Wait until `confirmed()` has reached `position`; False after `timeout` seconds.

        Raises:
            BrokerUnavailable, PublishRefused: as `submit`.
        """
        with self._changed:
            reached = self._changed.wait_for(
                lambda: self._failure or (self._prefix and self._prefix.position >= position), timeout
            )
            if self._failure:
                raise self._failure
            return bool(reached)

    def close(self) -> None:
        """Wait a little for what is not confirmed yet, and close the connection."""
        with self._changed:
            self._changed.wait_for(lambda: self._failure or not self._in_flight(), CLOSE_SECONDS)
            self._closing = True
        if self._connection is not None and self._failure is None:
            self._connection.ioloop.add_callback_threadsafe(self._close_connection)
        self._release()

    def _release(self) -> None:
        """The loop has sockets of its own to be woken by; pika leaves them open."""
        self._thread.join(CLOSE_SECONDS)
        if self._connection is not None and not self._thread.is_alive():
            self._connection.ioloop.close()

    def _in_flight(self) -> int:
        return len(self._outbox) + len(self._pending)

    def _room(self) -> int:
        return self._window - self._in_flight()

    # What follows runs in the connection's thread.

    def _run(self) -> None:
        try:
            self._connection = pika.SelectConnection(
                self._parameters,
                on_open_callback=self._on_open,
                on_open_error_callback=self._on_closed,
                on_close_callback=self._on_closed,
            )
            self._connection.ioloop.start()
        except Exception as error:
            self._fail(BrokerUnavailable(type(error).__name__))
        finally:
            if self._connection is not None:
                self._connection.ioloop.close()

    def _on_open(self, connection: Any) -> None:
        connection.add_on_connection_blocked_callback(lambda *_: self._set_blocked(True))
        connection.add_on_connection_unblocked_callback(lambda *_: self._set_blocked(False))
        connection.channel(on_open_callback=self._on_channel)

    def _on_channel(self, channel: Any) -> None:
        self._channel = channel
        channel.add_on_return_callback(self._on_return)
        channel.add_on_close_callback(self._on_channel_closed)
        channel.confirm_delivery(self._on_confirm, self._on_select)

    def _on_select(self, _frame: Any) -> None:
        self._tick()
        with self._changed:
            self._open = True
            self._changed.notify_all()

    def _pump(self) -> None:
        if self._blocked or self._failure is not None:
            return
        with self._changed:
            messages, moment = list(self._outbox), monotonic()
            self._outbox.clear()
            for message in messages:
                self._tag += 1
                self._pending[self._tag] = (message.position, moment)
        for message in messages:
            self._publish(message)

    def _publish(self, message: OutgoingMessage) -> None:
        properties = pika.BasicProperties(
            content_type=CONTENT_TYPE,
            delivery_mode=pika.DeliveryMode.Persistent.value,
            message_id=message.message_id,
            type=message.routing_key,
            timestamp=int(message.timestamp.timestamp()),
            headers=message.headers,
        )
        self._channel.basic_publish(
            self._exchange, message.routing_key, message.body, properties, mandatory=True
        )

    def _on_return(self, _channel: Any, _method: Any, properties: Any, _body: bytes) -> None:
        """It comes before the message's own confirm, on the same channel."""
        try:
            self._returned.add(position_of(properties.headers))
        except MalformedMessage:
            self._fail(BrokerUnavailable("it returned a message that is not ours"))

    def _on_confirm(self, frame: Any) -> None:
        method = frame.method
        with self._changed:
            if method.multiple:
                tags = list(takewhile(method.delivery_tag.__ge__, self._pending))
            else:
                tags = [method.delivery_tag]
            for tag in tags:
                position, _ = self._pending.pop(tag)
                if method.NAME == "Basic.Nack" or position in self._returned:
                    self._fail(PublishRefused(position))
                    return
                if self._prefix is not None:
                    self._prefix.done(position)
            self._changed.notify_all()
            if self._room() >= self._wanted:
                self._roomy.notify_all()

    def _tick(self) -> None:
        """Once a second: a broker that neither confirms nor says why is taken for dead."""
        with self._changed:
            oldest = next(iter(self._pending.values()), None)
            silent = oldest is not None and monotonic() - oldest[1] > SILENCE_SECONDS
        if silent and not self._blocked:
            self._fail(BrokerUnavailable("it confirms nothing any more"))
        elif self._failure is None and not self._closing:
            self._connection.ioloop.call_later(1, self._tick)

    def _set_blocked(self, blocked: bool) -> None:
        log.warning("broker_blocks" if blocked else "broker_unblocks")
        self._blocked = blocked
        if not blocked:
            with self._changed:  # the wait for a confirm begins anew
                now = monotonic()
                self._pending = {tag: (position, now) for tag, (position, _) in self._pending.items()}
            self._pump()

    def _on_channel_closed(self, _channel: Any, reason: Any) -> None:
        if not self._closing:
            self._fail(BrokerUnavailable(type(reason).__name__))

    def _on_closed(self, connection: Any, reason: Any) -> None:
        if not self._closing:
            self._fail(BrokerUnavailable(type(reason).__name__))
        connection.ioloop.stop()

    def _close_connection(self) -> None:
        if self._connection.is_open:
            self._connection.close()
        elif not self._connection.is_closing:  # else it stops when it has closed its socket
            self._connection.ioloop.stop()

    def _fail(self, failure: MessagingError) -> None:
        with self._changed:
            if self._failure is None:
                self._failure = failure
            self._changed.notify_all()
            self._roomy.notify_all()
        if self._connection is not None:
            self._connection.ioloop.add_callback_threadsafe(self._close_connection)
