"""Events: their classes, envelope, JSON form and personal data. Pure."""

from eventlog.events.codec import decode_event, decode_metadata, encode, encode_metadata
from eventlog.events.envelope import (
    INTERNAL,
    PERSONAL,
    Actor,
    Metadata,
    NewEvent,
    RecordedEvent,
    StoredEvent,
    StreamId,
)
from eventlog.events.errors import EventError, PersonalKeyMissing
from eventlog.events.personal import personal_fields
from eventlog.events.registry import EVENTS, EventRegistry, EventType, event

__all__ = [
    "EVENTS",
    "INTERNAL",
    "PERSONAL",
    "Actor",
    "EventError",
    "EventRegistry",
    "EventType",
    "Metadata",
    "NewEvent",
    "PersonalKeyMissing",
    "RecordedEvent",
    "StoredEvent",
    "StreamId",
    "decode_event",
    "decode_metadata",
    "encode",
    "encode_metadata",
    "event",
    "personal_fields",
]
