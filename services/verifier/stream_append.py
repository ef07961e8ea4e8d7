"""How events get into a verification stream: behind what is there, once."""

from collections.abc import Callable, Sequence
from hashlib import sha256

from eventlog.events import NewEvent, RecordedEvent, StreamId
from eventlog.storage import EventStore, IdempotentRequest, VersionConflict


def record_once(
    store: EventStore,
    stream: StreamId,
    key: str,
    events_behind: Callable[[Sequence[RecordedEvent]], Sequence[NewEvent]],
) -> None:
    """Append what `events_behind` makes in the light of the stream; under the same `key` only once.

    Raises:
        EventStoreError
    """
    request = IdempotentRequest(key=key, fingerprint=sha256(key.encode()).digest(), response={})
    history = store.load(stream)
    while True:
        try:
            store.append(stream, len(history), events_behind(history), request=request)
        except VersionConflict as conflict:  # somebody else recorded something meanwhile
            if conflict.actual == len(history):  # a stream that is not ours to write
                raise
            history = store.load(stream)
        else:
            return
