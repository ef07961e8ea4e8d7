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
    """Append the events that `new_events` returns for the events in the stream.

    A `key` is appended only once.

    Raises:
        EventStoreError: the events could not be appended.
    """
    request = IdempotentRequest(key=key, fingerprint=sha256(key.encode()).digest(), response={})
    history = store.load(stream)
    while True:
        try:
            store.append(stream, len(history), new_events(history), request=request)
        except VersionConflict as conflict:  # another process appended in the meantime
            if conflict.actual == len(history):  # a stream of another account, so a retry does not help
                raise
            history = store.load(stream)
        else:
            return
