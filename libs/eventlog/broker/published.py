"""The last message that was published, which a queue of the broker keeps outside the database.

If the log does not have its event, published events were lost from the database: a standby was promoted that
lacked them, or an older backup was restored. Their positions would be given to other events.
"""

from dataclasses import dataclass
from uuid import UUID

from eventlog.broker.cloudevents import position_of
from eventlog.broker.connection import channel_of
from eventlog.broker.errors import MalformedMessage
from eventlog.topology import LAST_PUBLISHED


@dataclass(frozen=True, slots=True)
class LastPublished:
    """Position and id of an event."""

    position: int
    event_id: UUID


def last_published(broker_url: str) -> LastPublished | None:
    """The last published event, whose message stays in the queue. `None` if the broker has published nothing.

    Raises:
        BrokerUnavailable: the broker cannot be reached, or does not have the queue.
    """
    with channel_of(broker_url) as channel:
        method, properties, _ = channel.basic_get(LAST_PUBLISHED)
        if method is None:
            return None
        try:  # the message returns to the queue when the connection ends
            return LastPublished(position_of(properties.headers), UUID(properties.message_id))
        except (MalformedMessage, ValueError, TypeError, AttributeError):
            return None  # of an administrator; the relay publishes no such message


def forget_last_published(broker_url: str) -> None:
    """Empty the queue. The user needs the rights of `regcred-deploy`. Raises `BrokerUnavailable`."""
    with channel_of(broker_url) as channel:
        channel.queue_purge(LAST_PUBLISHED)
