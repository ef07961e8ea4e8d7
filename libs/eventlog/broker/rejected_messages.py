"""What waits in the dead-letter queues: messages that announce no position, or that came too often (ADR 10).

Nothing is lost with any of them: the log has the events. Who looks needs the rights of `regcred-deploy`.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pika
from pika.exceptions import AMQPError

from eventlog.broker.cloudevents import position_of
from eventlog.broker.connection import parameters
from eventlog.broker.errors import BrokerUnavailable, MalformedMessage

MOST = 500  # that are looked at in one queue


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedMessage:
    """Without its body, of which nobody knows what it holds. `id` is the sender's, else made from the body;
    `reason` is the broker's word.
    """

    queue: str
    id: str
    type: str | None
    position: int | None
    reason: str
    since: datetime | None
    size: int


def find_rejected_messages(broker_url: str, queues: Iterable[str]) -> list[RejectedMessage]:
    """All of them, up to `MOST` in each queue; they stay where they are. Raises `BrokerUnavailable`."""
    with _channel(broker_url) as channel:
        return [message for queue in queues for _, message in _got(channel, queue)]


def discard_message(broker_url: str, queue: str, message_id: str) -> RejectedMessage | None:
    """Take one out of its queue for good; `None` if it is not there. Raises `BrokerUnavailable`."""
    with _channel(broker_url) as channel:
        for tag, message in _got(channel, queue):
            if message.id == message_id:
                channel.basic_ack(tag)
                return message
    return None


@contextmanager
def _channel(broker_url: str) -> Iterator[Any]:
    """What was taken and not acknowledged returns to its queue when the channel is closed."""
    try:
        with pika.BlockingConnection(parameters(broker_url)) as connection:
            yield connection.channel()
    except (AMQPError, OSError) as error:
        raise BrokerUnavailable(type(error).__name__) from error


def _got(channel: Any, queue: str) -> Iterator[tuple[int, RejectedMessage]]:
    for _ in range(MOST):
        method, properties, body = channel.basic_get(queue)
        if method is None:
            return
        yield method.delivery_tag, _read(queue, properties, body)


def _read(queue: str, properties: Any, body: bytes) -> RejectedMessage:
    headers = properties.headers or {}
    deaths = headers.get("x-death") or [{}]
    moment = deaths[0].get("time")
    try:
        position = position_of(headers)
    except MalformedMessage:
        position = None
    return RejectedMessage(
        queue=queue,
        id=str(properties.message_id or hashlib.sha256(body).hexdigest()[:16]),
        type=properties.type,
        position=position,
        reason=str(deaths[0].get("reason", "unknown")),
        since=moment.replace(tzinfo=UTC) if isinstance(moment, datetime) else None,
        size=len(body),
    )
