"""RabbitMQ: events as CloudEvents messages, publishing with confirms, and what operators do with queues."""

from eventlog.broker.cloudevents import CONTENT_TYPE, PREFIX, OutgoingMessage, outgoing_message
from eventlog.broker.connection import LONGEST_BACKOFF_SECONDS
from eventlog.broker.declaration import declare_topology
from eventlog.broker.errors import BrokerUnavailable, MessagingError
from eventlog.broker.inspection import BrokerState, inspect_broker
from eventlog.broker.published import forget_last_published, last_published
from eventlog.broker.publisher import Publisher
from eventlog.broker.rejected_messages import RejectedMessage, discard_message, find_rejected_messages

__all__ = [
    "CONTENT_TYPE",
    "LONGEST_BACKOFF_SECONDS",
    "PREFIX",
    "BrokerState",
    "BrokerUnavailable",
    "MessagingError",
    "OutgoingMessage",
    "Publisher",
    "RejectedMessage",
    "declare_topology",
    "discard_message",
    "find_rejected_messages",
    "forget_last_published",
    "inspect_broker",
    "last_published",
    "outgoing_message",
]
