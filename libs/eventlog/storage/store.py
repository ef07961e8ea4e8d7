"""The port of the event store. Adapters: `postgres`, and one in memory for tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from eventlog.events.envelope import NewEvent, RecordedEvent, StreamId

MAX_EVENT_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotentRequest:
    """A request that has its effect once, even if the client repeats it.

    `fingerprint` (32 bytes) distinguishes the request from another one with the same key. `response` is
    returned now and for each repeated request, so it must be known before the append.
    """

    key: str
    fingerprint: bytes
    response: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """The result of an append. `version` is that of the stream after the append.

    `replayed` is true if the same request or the same events were appended before. `version` and `response`
    are then those of the first time.
    """

    version: int
    replayed: bool
    response: Mapping[str, Any] | None


class EventStore(Protocol):
    """Streams of one category. Reads of a stream see every committed event, with or without a position."""

    def newest(self, stream: StreamId) -> list[RecordedEvent]:
        """The first event and the newest event of each type, the oldest first; an adapter may add others.

        The version of the last one is that of the stream. Empty if there is no such stream.
        """

    def event(self, event_id: UUID) -> RecordedEvent | None:
        """The event with this id, of any stream; `None` if there is none."""

    def append(
        self,
        stream: StreamId,
        expected_version: int,
        events: Sequence[NewEvent],
        *,
        request: IdempotentRequest | None = None,
    ) -> Appended:
        """Append events after `expected_version` (0: the stream must be new), all or none.

        If the stream has the same events already (ids, contents and metadata, in this order), the result is
        `replayed` at any `expected_version`. The response is then that of `request`, which is not stored.

        Raises:
            VersionConflict, DuplicateEvent, IdempotencyKeyReused, IdempotencyKeyInFlight, EventTooLarge:
                nothing was written.
            EventStoreUnavailable: nothing was written. OutcomeUnknown, its subclass: the append may have been
                committed.
        """
