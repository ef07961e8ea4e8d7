"""The event store in memory, for tests. It passes the same suite as the one in PostgreSQL."""

from collections.abc import Sequence
from datetime import UTC, datetime
from threading import Lock
from uuid import UUID

from eventlog.events import NewEvent, RecordedEvent, StreamId, encode, encode_metadata
from eventlog.storage import Appended, EventTooLarge, IdempotencyKeyReused, IdempotentRequest, VersionConflict
from eventlog.storage.errors import DuplicateEvent
from eventlog.storage.store import MAX_EVENT_BYTES

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class MemoryEventStore:
    """`EventStore` in memory. It has no clock: `recorded_at` is always the same time."""

    def __init__(self) -> None:
        self._streams: dict[StreamId, list[RecordedEvent]] = {}
        self._events: dict[UUID, RecordedEvent] = {}
        self._requests: dict[tuple[str, str], tuple[bytes, Appended]] = {}
        self._lock = Lock()

    def load(self, stream: StreamId) -> list[RecordedEvent]:
        with self._lock:
            return list(self._streams.get(stream, []))

    def newest(self, stream: StreamId) -> list[RecordedEvent]:
        return self.load(stream)

    def event(self, event_id: UUID) -> RecordedEvent | None:
        with self._lock:
            return self._events.get(event_id)

    def delete_responses(self) -> None:
        """Delete the responses to all keys."""
        with self._lock:
            self._requests.clear()

    def append(
        self,
        stream: StreamId,
        expected_version: int,
        events: Sequence[NewEvent],
        *,
        request: IdempotentRequest | None = None,
    ) -> Appended:
        with self._lock:
            return self._append(stream, expected_version, events, request)

    def _append(
        self,
        stream: StreamId,
        expected_version: int,
        events: Sequence[NewEvent],
        request: IdempotentRequest | None,
    ) -> Appended:
        account_id = events[0].metadata.account_id
        if request and (known := self._requests.get((account_id, request.key))):
            fingerprint, appended = known
            if fingerprint != request.fingerprint:
                raise IdempotencyKeyReused
            return Appended(version=appended.version, replayed=True, response=appended.response)
        response = request.response if request else None
        repeated = self._repeated(stream, events)
        if repeated is not None:
            return Appended(version=repeated, replayed=True, response=response)
        recorded = self._streams.get(stream, [])
        foreign = bool(recorded) and recorded[0].metadata.account_id != account_id
        if len(recorded) != expected_version or foreign:
            raise VersionConflict(len(recorded))
        new = [self._record(stream, expected_version + n, event) for n, event in enumerate(events, 1)]
        self._streams[stream] = recorded + new
        self._events |= {event.event_id: event for event in new}
        appended = Appended(version=expected_version + len(new), replayed=False, response=response)
        if request:
            self._requests[account_id, request.key] = (request.fingerprint, appended)
        return appended

    def _repeated(self, stream: StreamId, events: Sequence[NewEvent]) -> int | None:
        """The version of the stream after exactly these events, if it contains them."""
        ids = [event.event_id for event in events]
        known = [self._events[event_id] for event_id in ids if event_id in self._events]
        if not known and len(set(ids)) == len(ids):
            return None
        last = known[-1].version if known else 0
        recorded = self._streams.get(stream, [])[last - len(events) : last]
        same = [(event.event_id, event.payload, event.metadata) for event in recorded]
        if same != [(event.event_id, event.payload, event.metadata) for event in events]:
            raise DuplicateEvent
        return last

    @staticmethod
    def _record(stream: StreamId, version: int, event: NewEvent) -> RecordedEvent:
        name, schema_version, data = encode(event.payload)
        size = len(data) + len(encode_metadata(event.metadata))
        if size > MAX_EVENT_BYTES:
            raise EventTooLarge(size)
        return RecordedEvent(
            event_id=event.event_id,
            stream=stream,
            version=version,
            type=name,
            schema_version=schema_version,
            payload=event.payload,
            metadata=event.metadata,
            recorded_at=_EPOCH,
        )
