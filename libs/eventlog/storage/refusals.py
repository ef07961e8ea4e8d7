"""Store requests that a service refused. Every role of a service with an API may do that."""

from chassis.database import Pool
from eventlog.events.envelope import NewEvent, StreamId
from eventlog.storage.postgres import KeyOf, append_request, call_append, store_errors

_APPEND = "SELECT * FROM auth.append_denied(%s)"
_HAS_ACCOUNT = "SELECT auth.has_account(%s)"


class PostgresRefusals:
    """Appends `access.denied`, with the role of this pool. `key_of` returns the keys of personal data."""

    def __init__(self, pool: Pool, key_of: KeyOf | None) -> None:
        self._pool = pool
        self._key_of = key_of

    def has_account(self, account_id: str) -> bool:
        """Whether the account has data that was not erased. Raises `EventStoreError`."""
        with store_errors(), self._pool.connection() as connection:
            row = connection.execute(_HAS_ACCOUNT, (account_id,)).fetchone()
        return bool(row and row[0])

    def append(self, stream: StreamId, event: NewEvent) -> None:
        """Append the first event of a stream. Raises `EventStoreError`."""
        argument = append_request(stream, 0, [event], None, self._key_of)
        call_append(self._pool, _APPEND, [argument], None)
