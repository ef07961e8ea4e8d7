"""A stored event as a message: CloudEvents 1.0, AMQP binding in binary mode (headers `cloudEvents:…`). Pure.

The body is the payload; where the key of its account is erased, as it reads without. The extensions are
lower-case names, as CloudEvents wants them.
"""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from shared.events.codec import decode_metadata
from shared.events.envelope import StoredEvent
from shared.events.personal import payload_or_erased
from shared.messaging.errors import MalformedMessage
from shared.runtime.clock import rfc3339

PREFIX = "cloudEvents:"
SEQUENCE = PREFIX + "sequence"
CONTENT_TYPE = "application/json"


class OutgoingMessage(Struct, frozen=True, kw_only=True):
    """A message ready to be published; the routing key is the type of the event."""

    position: int
    routing_key: str
    message_id: str
    headers: Mapping[str, str]
    body: bytes
    timestamp: datetime


def outgoing(event: StoredEvent) -> OutgoingMessage:
    """The message of an event of the log.

    Raises:
        ValueError: it has no position yet.
        MalformedEvent: its metadata cannot be read.
    """
    if event.position is None:
        raise ValueError("only events of the log are published")
    metadata = decode_metadata(event.metadata)
    attributes = {
        "specversion": "1.0",
        "id": str(event.event_id),
        "source": f"/regcred/{event.stream.category}s",
        "type": event.type,
        "subject": str(event.stream.id),
        "time": rfc3339(metadata.occurred_at),
        "dataschema": f"urn:regcred:events:{event.type}:{event.schema_version}",
        "sequence": str(event.position),
        "accountid": metadata.account_id,
        "streamversion": str(event.version),
        "requestid": metadata.request_id,
        "correlationid": metadata.correlation_id,
        "causationid": metadata.causation_id,
        "traceparent": metadata.traceparent,
    }
    return OutgoingMessage(
        position=event.position,
        routing_key=event.type,
        message_id=str(event.event_id),
        headers={PREFIX + name: value for name, value in attributes.items() if value is not None},
        body=payload_or_erased(event),
        timestamp=metadata.occurred_at,
    )


def position_of(headers: Mapping[str, object] | None) -> int:
    """The position that a message announces.

    Raises:
        MalformedMessage: it announces none.
    """
    text = (headers or {}).get(SEQUENCE)
    if not isinstance(text, str) or not (text.isascii() and text.isdecimal()) or len(text) > 18:  # noqa: PLR2004 fits a bigint
        raise MalformedMessage
    return int(text)
