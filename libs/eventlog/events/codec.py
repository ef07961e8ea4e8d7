"""Payloads and metadata to JSON and back: the only place that knows the stored form.

Fields that a class does not have are passed over, so that an older reader takes what a newer writer added.
"""

from functools import cache
from typing import Any

import msgspec

from eventlog.events.envelope import Metadata, RecordedEvent, StoredEvent
from eventlog.events.errors import MalformedEvent
from eventlog.events.personal import opened
from eventlog.events.registry import EVENTS, EventRegistry

_encode = msgspec.json.Encoder(order="deterministic").encode
_decode_metadata = msgspec.json.Decoder(Metadata).decode


def encode(payload: object, *, registry: EventRegistry = EVENTS) -> tuple[str, int, bytes]:
    """(name, version, JSON) of a registered payload. It is read back first: a log never holds what nobody
    can read, and the bounds of the published schema are the writer's to keep.

    Raises:
        UnknownEvent: its class is not registered.
        MalformedEvent: a field is out of its bounds.
        TypeError: it holds something that has no JSON form, such as a `Secret`.
    """
    kind = registry.type_of(payload)
    data = _encode(payload)
    try:
        _decoder(kind.payload_class).decode(data)
    except msgspec.MsgspecError as error:
        raise MalformedEvent(kind.name, kind.version, str(error)) from None
    return kind.name, kind.version, data


def decode(name: str, version: int, data: bytes | str, *, registry: EventRegistry = EVENTS) -> object:
    """The payload in its newest version.

    Raises:
        UnknownEvent: this program does not know that event.
        MalformedEvent: the data does not fit the version it is said to be.
    """
    stored, *later = registry.since(name, version)
    try:
        payload = _decoder(stored.payload_class).decode(data)
        if not later:
            return payload
        upcasted = msgspec.json.decode(data)
        for kind in later:
            if kind.upcast:  # every later version has one (`EventRegistry.event`)
                upcasted = kind.upcast(upcasted)
        return msgspec.convert(upcasted, later[-1].payload_class)
    except msgspec.MsgspecError as error:
        raise MalformedEvent(name, version, str(error)) from None


@cache
def _decoder(payload_class: type) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(payload_class)


def encode_metadata(metadata: Metadata) -> bytes:
    return _encode(metadata)


def decode_metadata(data: bytes | str) -> Metadata:
    """Raises `MalformedEvent` where the metadata does not fit."""
    try:
        return _decode_metadata(data)
    except msgspec.MsgspecError as error:
        raise MalformedEvent("metadata", 1, str(error)) from None


def decode_event(stored: StoredEvent) -> RecordedEvent:
    """A stored row, decrypted (`eventlog.events.personal`), with its payload and metadata read.

    Raises:
        As `decode`.
    """
    payload, metadata = opened(stored)
    return RecordedEvent(
        event_id=stored.event_id,
        stream=stored.stream,
        version=stored.version,
        type=stored.type,
        schema_version=stored.schema_version,
        payload=decode(stored.type, stored.schema_version, payload),
        metadata=decode_metadata(metadata),
        recorded_at=stored.recorded_at,
        position=stored.position,
    )
