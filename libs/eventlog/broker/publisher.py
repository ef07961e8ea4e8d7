"""Publishes messages with asynchronous confirms and a window, in a thread that owns the connection.

With one unconfirmed message at a time, the broker accepts about a thousand messages per second; with a window
of 500, twenty times as many (`docs/reference/messaging.md`, "Publisher confirms"). A message that the broker
returns (it has no queue for it) or refuses (a queue does not accept it) counts as confirmed and is reported
by `take_refused`; others are not delayed. After a failure the relay begins again from its checkpoint.
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
from eventlog.broker.connection import failure_reason, parameters
from eventlog.broker.errors import BrokerUnavailable, MalformedMessage, MessagingError
from eventlog.events.positions import ContiguousPrefix
from eventlog.topology import EXCHANGE

log = structlog.get_logger()

WINDOW = 500
# Messages are passed to the thread in parts of the window. Passed one by one, each would cost two thread
# switches.
PARTS = 4
CONNECT_SECONDS = 15.0
SILENCE_SECONDS = 10.0  # without a confirm, until the connection counts as lost
CLOSE_SECONDS = 5.0


class Publisher:
    """One connection, as a context manager. It cannot be used after a failure.

    Only one thread may call `submit`, `wait_confirmed`, `confirmed`, `wait_all` and `take_refused`.
    """

    def __init__(self, broker_url: str, *, window: int = WINDOW, exchange: str = EXCHANGE) -> None:
        self._parameters = parameters(broker_url)
        self._window = window
        self._part = max(1, window // PARTS)
        self._exchange = exchange
        lock = RLock()
        self._changed = Condition(lock)  # opened, confirmed or failed
        self._has_room = Condition(lock)  # the window has room for `_wanted` messages, or it failed
        self._wanted = 1
        self._failure: MessagingError | None = None
        self._open = False
        self._closing = False
        self._blocked = False
        self._prefix: ContiguousPrefix | None = None
        self._outbox: deque[OutgoingMessage] = deque()
        self._pending: dict[int, tuple[int, float]] = {}  # delivery tag to position and time, in order
        self._returned: set[int] = set()
        self._refused: list[int] = []
        self._tag = 0
        self._connection: Any = None
        self._channel: Any = None
        self._thread = Thread(target=self._run, name="publisher", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        with self._changed:
            ended = self._changed.wait_for(lambda: self._open or self._failure, CONNECT_SECONDS)
        if not ended:
            self._fail(BrokerUnavailable("it did not respond in time"))
        if self._failure:
            self._release()
            raise self._failure
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def submit(self, *messages: OutgoingMessage) -> None:
        """Submit the next messages, in the order of positions and without a gap.

        Waits while the window is full or the broker blocks the connection.

        Raises:
            BrokerUnavailable: this publisher cannot be used any more.
        """
        done = 0
        while done < len(messages):
            done += self._submit_part(messages[done : done + self._window])

    def _submit_part(self, messages: Sequence[OutgoingMessage]) -> int:
        """Submit the first messages, at least `PARTS`-th of the window if there are as many.

        Returns the number.
        """
        wanted = min(len(messages), self._part)
        with self._changed:
            self._wanted = wanted
            self._has_room.wait_for(lambda: self._room() >= wanted or self._failure)
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
        """The position up to which every submitted message is confirmed or refused.

        It is 0 before the first message. Read it before `take_refused`, which then has every refused message
        up to this position.
        """
        with self._changed:
            return self._prefix.position if self._prefix else 0

    def wait_confirmed(self, position: int, timeout: float) -> bool:
        """Wait until `confirmed()` has reached `position`. Returns False after `timeout` seconds.

        Raises:
            BrokerUnavailable: as `submit`.
        """
        with self._changed:
            reached = self._changed.wait_for(
                lambda: self._failure or (self._prefix and self._prefix.position >= position), timeout
            )
            if self._failure:
                raise self._failure
            return bool(reached)

    def wait_all(self, timeout: float) -> bool:
        """Wait until every submitted message is confirmed or refused. Otherwise as `wait_confirmed`."""
        with self._changed:
            ended = self._changed.wait_for(lambda: self._failure or not self._in_flight(), timeout)
            if self._failure:
                raise self._failure
            return bool(ended)

    def take_refused(self) -> list[int]:
        """The positions of the messages that were refused or returned since the last call."""
        with self._changed:
            refused, self._refused = self._refused, []
            return refused

    def close(self) -> None:
        """Wait up to `CLOSE_SECONDS` for confirms, and close the connection."""
        with self._changed:
            self._changed.wait_for(lambda: self._failure or not self._in_flight(), CLOSE_SECONDS)
            self._closing = True
        if self._connection is not None and self._failure is None:
            self._connection.ioloop.add_callback_threadsafe(self._close_connection)
        self._release()

    def _release(self) -> None:
        """Close the sockets that wake the loop, which pika leaves open."""
        self._thread.join(CLOSE_SECONDS)
        if self._connection is not None and not self._thread.is_alive():
            self._connection.ioloop.close()

    def _in_flight(self) -> int:
        return len(self._outbox) + len(self._pending)

    def _room(self) -> int:
        return self._window - self._in_flight()

    # The methods below run in the thread of the connection.

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
            self._fail(BrokerUnavailable(failure_reason(error)))
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
        """The broker returns a message before its confirm, on the same channel."""
        try:
            self._returned.add(position_of(properties.headers))
        except MalformedMessage:
            self._fail(BrokerUnavailable("it returned a message without a position"))

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
                    self._returned.discard(position)
                    self._refused.append(position)
                if self._prefix is not None:
                    self._prefix.done(position)
            self._changed.notify_all()
            if self._room() >= self._wanted:
                self._has_room.notify_all()

    def _tick(self) -> None:
        """Check once a second for a broker that neither confirms nor reports that it blocks."""
        with self._changed:
            oldest = next(iter(self._pending.values()), None)
            silent = oldest is not None and monotonic() - oldest[1] > SILENCE_SECONDS
        if silent and not self._blocked:
            self._fail(BrokerUnavailable("it has stopped confirming messages"))
        elif self._failure is None and not self._closing:
            self._connection.ioloop.call_later(1, self._tick)

    def _set_blocked(self, blocked: bool) -> None:
        log.warning("broker_blocks" if blocked else "broker_unblocks")
        self._blocked = blocked
        if not blocked:
            with self._changed:  # the time limit for confirms begins again
                now = monotonic()
                self._pending = {tag: (position, now) for tag, (position, _) in self._pending.items()}
            self._pump()

    def _on_channel_closed(self, _channel: Any, reason: Any) -> None:
        if not self._closing:
            self._fail(BrokerUnavailable(failure_reason(reason)))

    def _on_closed(self, connection: Any, reason: Any) -> None:
        if not self._closing:
            self._fail(BrokerUnavailable(failure_reason(reason)))
        connection.ioloop.stop()

    def _close_connection(self) -> None:
        if self._connection.is_open:
            self._connection.close()
        elif not self._connection.is_closing:  # otherwise the loop stops when the socket is closed
            self._connection.ioloop.stop()

    def _fail(self, failure: MessagingError) -> None:
        with self._changed:
            if self._failure is None:
                self._failure = failure
            self._changed.notify_all()
            self._has_room.notify_all()
        if self._connection is not None:
            self._connection.ioloop.add_callback_threadsafe(self._close_connection)
