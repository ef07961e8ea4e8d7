"""Reads and discards messages of the dead-letter queues (ADR 10).

A queue rejects a message without a position, or one that was delivered too often. Discarding a message loses
no event, because the log has it. The user needs the rights of `regcred-deploy`.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from eventlog.broker.cloudevents import position_of
from eventlog.broker.connection import channel_of
from eventlog.broker.errors import MalformedMessage

MAX_PER_QUEUE = 500  # messages that are read


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedMessage:
    """A rejected message without its body, which can contain anything.

    `id` is the message id, or a hash of the body if there is none. `reason` is that of the broker.
    """

    queue: str
    id: str
    type: str | None
    position: int | None
    reason: str
    since: datetime | None
    size: int


def find_rejected_messages(broker_url: str, queues: Iterable[str]) -> list[RejectedMessage]:
    """Up to `MAX_PER_QUEUE` messages of each queue, which stay there. Raises `BrokerUnavailable`."""
    with channel_of(broker_url) as channel:
        return [message for queue in queues for _, message in _messages(channel, queue)]


def discard_message(broker_url: str, queue: str, message_id: str) -> RejectedMessage | None:
    """Remove a message from its queue. `None` if the queue does not have it. Raises `BrokerUnavailable`."""
    with channel_of(broker_url) as channel:
        for tag, message in _messages(channel, queue):
            if message.id == message_id:
                channel.basic_ack(tag)
                return message
    return None


def _messages(channel: Any, queue: str) -> Iterator[tuple[int, RejectedMessage]]:
    for _ in range(MAX_PER_QUEUE):
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
