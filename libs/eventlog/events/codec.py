"""Encodes payloads and metadata as JSON and decodes them. No other module knows the stored form.

Decoding ignores fields that a class does not have, so that an older program can read events of a newer one.
"""

from functools import cache
from typing import Any

import msgspec

from eventlog.events.envelope import Metadata, RecordedEvent, StoredEvent
from eventlog.events.errors import MalformedEvent
from eventlog.events.personal import decrypted
from eventlog.events.registry import EVENTS, EventRegistry

_encode = msgspec.json.Encoder(order="deterministic").encode
_decode_metadata = msgspec.json.Decoder(Metadata).decode


def encode(payload: object, *, registry: EventRegistry = EVENTS) -> tuple[str, int, bytes]:
    """Encode a registered payload. Returns its name, version and JSON.

    The JSON is decoded once as a check: the log contains only events that can be decoded, within the bounds
    of the published schema.

    Raises:
        UnknownEvent: the class of the payload is not registered.
        MalformedEvent: a field is out of its bounds.
        TypeError: the payload contains a value that has no JSON form, such as a `Secret`.
    """
    kind = registry.type_of(payload)
    data = _encode(payload)
    try:
        _decoder(kind.payload_class).decode(data)
    except msgspec.MsgspecError as error:
        raise MalformedEvent(kind.name, kind.version, str(error)) from None
    return kind.name, kind.version, data


def decode(name: str, version: int, data: bytes | str, *, registry: EventRegistry = EVENTS) -> object:
    """Decode a payload and convert it to the newest version of its class.

    Raises:
        UnknownEvent: the name or the version is not registered in this program.
        MalformedEvent: the data does not fit the class of this version.
    """
    stored, *later = registry.since(name, version)
    try:
        payload = _decoder(stored.payload_class).decode(data)
        if not later:
            return payload
        document = msgspec.json.decode(data)
        for kind in later:
            if kind.upcast:  # `EventRegistry.event` requires one for each version after the first
                document = kind.upcast(document)
        return msgspec.convert(document, later[-1].payload_class)
    except msgspec.MsgspecError as error:
        raise MalformedEvent(name, version, str(error)) from None


@cache
def _decoder(payload_class: type) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(payload_class)


def encode_metadata(metadata: Metadata) -> bytes:
    return _encode(metadata)


def decode_metadata(data: bytes | str) -> Metadata:
    """Decode metadata. Raises `MalformedEvent` if the data does not fit."""
    try:
        return _decode_metadata(data)
    except msgspec.MsgspecError as error:
        raise MalformedEvent("metadata", 1, str(error)) from None


def decode_event(stored: StoredEvent) -> RecordedEvent:
    """Decrypt the personal data of a stored event, and decode its payload and metadata.

    Raises:
        UnknownEvent, MalformedEvent: as `decode`.
        PersonalKeyMissing: the key file of this process lacks the key of its personal data.
    """
    payload, metadata = decrypted(stored)
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
