"""Verification streams in PostgreSQL."""

from collections.abc import Sequence

from chassis.database import Pool
from eventlog.consumers import current_lease
from eventlog.events import NewEvent, RecordedEvent, StreamId
from eventlog.storage import (
    Appended,
    IdempotentRequest,
    PersonalKeys,
    append_request,
    call_append,
    keys_of,
    load_stream,
    store_errors,
)

_APPEND = "SELECT * FROM verifier.append(%s, %s, %s)"


class PostgresVerificationStore:
    """`EventStore` of the verification streams.

    A thread that works under a lease which has ended cannot append: `StaleLeader`.
    """

    def __init__(self, pool: Pool, personal: PersonalKeys | None = None) -> None:
        self._pool = pool
        self._personal = personal
        self._key_of = keys_of(pool, personal)

    def load(self, stream: StreamId) -> list[RecordedEvent]:
        with store_errors(), self._pool.connection() as connection:
            return load_stream(connection, stream, self._personal)

    def append(
        self,
        stream: StreamId,
        expected_version: int,
        events: Sequence[NewEvent],
        *,
        request: IdempotentRequest | None = None,
    ) -> Appended:
        argument = append_request(stream, expected_version, events, request, self._key_of)
        lease = current_lease()
        fence = (lease.name, lease.epoch) if lease else (None, None)
        return call_append(self._pool, _APPEND, [argument, *fence], request)
