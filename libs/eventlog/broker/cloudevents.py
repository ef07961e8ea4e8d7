"""Converts stored events to CloudEvents 1.0 in the AMQP binding, binary mode (headers `cloudEvents:…`). Pure.

The body is the payload. If the key of the account was erased, its personal fields say `erased`. Extensions
have lower-case names, as CloudEvents requires.
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import Struct

from chassis.runtime.clock import rfc3339
from eventlog.broker.errors import MalformedMessage
from eventlog.events.envelope import StoredEvent
from eventlog.events.errors import MalformedEvent
from eventlog.events.internal import without_internal
from eventlog.events.personal import payload_or_erased

PREFIX = "cloudEvents:"
SEQUENCE = PREFIX + "sequence"
SEQUENCE_DIGITS = 18  # a bigint has at least as many; the text of a position is ordered like the number
CONTENT_TYPE = "application/json"


class OutgoingMessage(Struct, frozen=True, kw_only=True):
    """A message to be published. The routing key is the type of the event."""

    position: int
    routing_key: str
    message_id: str
    headers: Mapping[str, str]
    body: bytes
    timestamp: datetime


class _PublishedMetadata(Struct, frozen=True):
    """The metadata that a message contains. The actor is not among it."""

    account_id: str
    occurred_at: datetime
    request_id: str
    correlation_id: str
    causation_id: str | None = None
    traceparent: str | None = None


_decode_metadata = msgspec.json.Decoder(_PublishedMetadata).decode


def outgoing_message(event: StoredEvent, installation_id: UUID) -> OutgoingMessage:
    """The message of an event of the log of an installation.

    Raises:
        ValueError: the event has no position.
        MalformedEvent: its metadata cannot be decoded.
    """
    if event.position is None:
        raise ValueError("the event has no position; only events of the log are published")
    try:
        metadata = _decode_metadata(event.metadata)
    except msgspec.MsgspecError as error:
        raise MalformedEvent("metadata", 1, str(error)) from None
    name, event_id = event.type, str(event.event_id)
    headers = {
        "cloudEvents:specversion": "1.0",
        "cloudEvents:id": event_id,
        "cloudEvents:source": f"urn:regcred:{installation_id}:{event.stream.category}s",
        "cloudEvents:type": name,
        "cloudEvents:subject": str(event.stream.id),
        "cloudEvents:time": rfc3339(metadata.occurred_at),
        "cloudEvents:dataschema": f"urn:regcred:events:{name}:{event.schema_version}",
        SEQUENCE: f"{event.position:0{SEQUENCE_DIGITS}}",
        "cloudEvents:accountid": metadata.account_id,
        "cloudEvents:streamversion": str(event.version),
        "cloudEvents:requestid": metadata.request_id,
        "cloudEvents:correlationid": metadata.correlation_id,
    }
    if metadata.causation_id is not None:
        headers["cloudEvents:causationid"] = metadata.causation_id
    if metadata.traceparent is not None:
        headers["cloudEvents:traceparent"] = metadata.traceparent
    return OutgoingMessage(
        position=event.position,
        routing_key=name,
        message_id=event_id,
        headers=headers,
        body=without_internal(name, event.schema_version, payload_or_erased(event).decode()).encode(),
        timestamp=metadata.occurred_at,
    )


def position_of(headers: Mapping[str, object] | None) -> int:
    """The position in the headers of a message.

    Raises:
        MalformedMessage: there is none, or it is not a positive decimal number.
    """
    text = (headers or {}).get(SEQUENCE)
    if not isinstance(text, str) or not (text.isascii() and text.isdecimal()) or len(text) > SEQUENCE_DIGITS:
        raise MalformedMessage
    return int(text)
