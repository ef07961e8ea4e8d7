"""The token buckets of limits in PostgreSQL, which all processes share."""

from contextlib import suppress
from hashlib import sha256

import psycopg

from chassis.database import Pool
from chassis.runtime.limiter import Limit, Taken

_WAIT_SECONDS = 0.5  # for a connection
_LONGEST_NAME = 200


class DatabaseBuckets:
    """The buckets in `credentials.limit_buckets`, with connections of their own.

    A process that is busy, or a database that hangs, therefore occupies few threads here, and waits here do
    not count as failures of the pool that requests use. `pool` is opened by the first use.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.close = pool.close

    def take(self, name: str, limit: Limit, *, spent: float, wanted: int) -> Taken | None:
        with suppress(psycopg.Error):
            self._pool.open()
            with self._pool.connection(timeout=_WAIT_SECONDS) as connection:
                row = connection.execute(
                    "SELECT granted, available, retry_after FROM credentials.take(%s, %s, %s, %s, %s)",
                    (_stored(name), limit.quota, limit.seconds, spent, wanted),
                ).fetchone()
                if row is not None:
                    return Taken(granted=row[0], available=row[1], retry_after=row[2])
        return None


def _stored(name: str) -> str:
    """The name in the table. The subject of a JWT can have any length and characters."""
    if len(name) <= _LONGEST_NAME and name.isprintable():
        return name
    return sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
