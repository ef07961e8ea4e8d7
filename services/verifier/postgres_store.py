"""Verification streams in PostgreSQL."""

from collections.abc import Sequence
from uuid import UUID

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
    load_event,
    load_newest,
    load_selected,
    store_errors,
)

_APPEND = "SELECT * FROM verifier.append(%s, %s, %s)"
# The first failed login after the last accepted one.
_FIRST_FAILURE = """
SELECT e.stream_id, e.version FROM es.events e
WHERE e.stream_id = %(stream)s AND e.type = 'verification.failed' AND e.version > 1
  AND e.version > coalesce((SELECT max(s.version) FROM es.events s WHERE s.stream_id = %(stream)s
                            AND s.type = 'verification.succeeded' AND s.version > 1), 1)
ORDER BY e.version LIMIT 1
"""


class PostgresVerificationStore:
    """`EventStore` of the verification streams.

    A thread that works under a lease which has ended cannot append: `StaleLeader`.
    """

    def __init__(self, pool: Pool, personal: PersonalKeys | None = None) -> None:
        self._pool = pool
        self._personal = personal
        self._key_of = keys_of(pool, personal)

    def newest(self, stream: StreamId) -> list[RecordedEvent]:
        """As `EventStore.newest`, with the first failed login after the last accepted one."""
        with store_errors(), self._pool.connection() as connection:
            failure = load_selected(connection, _FIRST_FAILURE, {"stream": stream.id}, self._personal)
            newest = load_newest(connection, stream, self._personal)
        events = {event.version: event for event in [*failure, *newest]}
        return [events[version] for version in sorted(events)]

    def event(self, event_id: UUID) -> RecordedEvent | None:
        with store_errors(), self._pool.connection() as connection:
            return load_event(connection, event_id, self._personal)

    def credential(self, stream: StreamId) -> list[RecordedEvent]:
        """The events that determine a credential, the oldest first (`verifier.verifier.Streams`)."""
        with store_errors(), self._pool.connection() as connection:
            return load_newest(connection, stream, self._personal)

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
