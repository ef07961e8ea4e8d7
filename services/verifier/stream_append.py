"""Appends to a verification stream, each at most once."""

from collections.abc import Callable, Sequence
from hashlib import sha256

from eventlog.events import NewEvent, RecordedEvent, StreamId
from eventlog.storage import EventStore, IdempotentRequest, VersionConflict


def record_once(
    store: EventStore,
    stream: StreamId,
    key: str,
    new_events: Callable[[Sequence[RecordedEvent]], Sequence[NewEvent]],
) -> None:
    """Append the events that `new_events` returns for the newest events of the stream.

    A `key` is appended only once.

    Raises:
        EventStoreError: the events could not be appended.
    """
    request = IdempotentRequest(key=key, fingerprint=sha256(key.encode()).digest(), response={})
    while True:
        history = store.newest(stream)
        version = history[-1].version if history else 0
        try:
            store.append(stream, version, new_events(history), request=request)
        except VersionConflict as conflict:  # another process appended in the meantime
            if conflict.actual == version:  # a stream of another account, so a retry does not help
                raise
        else:
            return
