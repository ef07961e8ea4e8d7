"""A stored event as a message: CloudEvents 1.0, AMQP binding in binary mode (headers `cloudEvents:…`). Pure.

The body is the payload; where the key of its account is erased, as it reads without. The extensions are
lower-case names, as CloudEvents wants them.
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec import Struct

from chassis.runtime.clock import rfc3339
from eventlog.broker.errors import MalformedMessage
from eventlog.events.envelope import StoredEvent
from eventlog.events.errors import MalformedEvent
from eventlog.events.personal import payload_or_erased

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


class _About(Struct, frozen=True):
    """Of an event's metadata what a message tells: not who it was."""

    account_id: str
    occurred_at: datetime
    request_id: str
    correlation_id: str
    causation_id: str | None = None
    traceparent: str | None = None


_about = msgspec.json.Decoder(_About).decode


def outgoing_message(event: StoredEvent) -> OutgoingMessage:
    """The message of an event of the log.

    Raises:
        ValueError: it has no position yet.
        MalformedEvent: its metadata cannot be read.
    """
    if event.position is None:
        raise ValueError("only events of the log are published")
    try:
        about = _about(event.metadata)
    except msgspec.MsgspecError as error:
        raise MalformedEvent("metadata", 1, str(error)) from None
    name, event_id = event.type, str(event.event_id)
    headers = {
        "cloudEvents:specversion": "1.0",
        "cloudEvents:id": event_id,
        "cloudEvents:source": f"/regcred/{event.stream.category}s",
        "cloudEvents:type": name,
        "cloudEvents:subject": str(event.stream.id),
        "cloudEvents:time": rfc3339(about.occurred_at),
        "cloudEvents:dataschema": f"urn:regcred:events:{name}:{event.schema_version}",
        SEQUENCE: str(event.position),
        "cloudEvents:accountid": about.account_id,
        "cloudEvents:streamversion": str(event.version),
        "cloudEvents:requestid": about.request_id,
        "cloudEvents:correlationid": about.correlation_id,
    }
    if about.causation_id is not None:
        headers["cloudEvents:causationid"] = about.causation_id
    if about.traceparent is not None:
        headers["cloudEvents:traceparent"] = about.traceparent
    return OutgoingMessage(
        position=event.position,
        routing_key=name,
        message_id=event_id,
        headers=headers,
        body=payload_or_erased(event),
        timestamp=about.occurred_at,
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
