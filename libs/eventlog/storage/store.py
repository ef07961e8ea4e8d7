"""The event store as its users see it. Adapters: `postgres`, and one in memory for tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from eventlog.events.envelope import NewEvent, RecordedEvent, StreamId

MAX_EVENT_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotentRequest:
    """A request that must have its effect once.

    `fingerprint` (32 bytes) tells this request from another one under the same key; `response` is what is
    answered now and to every repetition, so it must be known before the append.
    """

    key: str
    fingerprint: bytes
    response: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """The stream's version after the append; `replayed` if this very request, or these very events, had been
    there before: then it is the version of then.
    """

    version: int
    replayed: bool
    response: Mapping[str, Any] | None


class EventStore(Protocol):
    """Streams of one category. Reading a stream is strongly consistent and needs no position."""

    def load(self, stream: StreamId) -> list[RecordedEvent]:
        """All events of a stream, oldest first; empty if there is none."""

    def append(
        self,
        stream: StreamId,
        expected_version: int,
        events: Sequence[NewEvent],
        *,
        request: IdempotentRequest | None = None,
    ) -> Appended:
        """Add events behind `expected_version` (0: the stream must be new), all or none.

        The very same events again (ids, contents, metadata, in this order and in this stream) are answered as
        replayed, whatever `expected_version` says; then a new `request` is answered too, and not remembered.

        Raises:
            VersionConflict, DuplicateEvent, IdempotencyKeyReused, IdempotencyKeyInFlight, EventTooLarge:
                nothing was written.
            EventStoreUnavailable: nothing was written. Its child OutcomeUnknown: nobody knows.
        """
