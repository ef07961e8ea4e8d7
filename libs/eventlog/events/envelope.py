"""What surrounds an event's payload: who, when, why, and where it stands in the log."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, Protocol
from uuid import UUID

from msgspec import Meta, Struct

PERSONAL = {"personal": True}  # `Meta(extra=PERSONAL)` on a field: it is sealed (`eventlog.events.personal`)


class StreamId(Struct, frozen=True):
    """One stream of the log. Versions count within it, from 1. A struct, as `RecordedEvent`.

    The categories, and who writes them, belong to the events (`contracts.streams`).
    """

    category: str
    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who did it: a service, a person, or regcred itself (`system`)."""

    type: Literal["service", "user", "system"]
    id: Annotated[str, Meta(extra=PERSONAL)]
    name: Annotated[str, Meta(extra=PERSONAL)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What an auditor asks of every event. `occurred_at` is the command's time, in UTC."""

    account_id: str
    actor: Actor
    occurred_at: datetime
    request_id: str
    correlation_id: str
    causation_id: str | None = None
    on_behalf_of: Annotated[str | None, Meta(extra=PERSONAL)] = None
    source_ip: Annotated[str | None, Meta(extra=PERSONAL)] = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event that is about to be appended."""

    event_id: UUID
    payload: object
    metadata: Metadata


class RecordedEvent(Struct, frozen=True, kw_only=True):
    """An event of the log. A struct, since a rebuild makes millions: at a fifth of a dataclass's time.

    `position` is its place in the whole log: dense, from 1, given after commit by the relay (ADR 2);
    `None` while it has none yet, as when a stream is read directly.
    """

    event_id: UUID
    stream: StreamId
    version: int
    type: str
    schema_version: int
    payload: object
    metadata: Metadata
    recorded_at: datetime
    position: int | None = None


class Cipher(Protocol):
    """AES-256-GCM-SIV under one key."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes: ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes: ...


class StoredEvent(Struct, frozen=True, kw_only=True):
    """A row of the log as it is stored: payload and metadata are still JSON text. A struct, as above.

    The relay passes it on without reading it; `eventlog.events.codec.decode_event` makes a `RecordedEvent`.
    `cipher` opens what is sealed in it; `None` where nothing is, or its key is gone.
    """

    event_id: UUID
    stream: StreamId
    version: int
    type: str
    schema_version: int
    payload: str
    metadata: str
    recorded_at: datetime
    position: int | None = None
    cipher: Cipher | None = None
