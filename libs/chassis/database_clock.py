"""The clock of the database, for decisions about rows that several machines write.

The clock of one machine may be hours wrong, and the times in these rows are those of others.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock

from chassis.database import Pool, database_errors, server_time

REFRESH_SECONDS = 10.0


class DatabaseClock:
    """The time of the database, read every `REFRESH_SECONDS`. In between, `monotonic` counts the seconds.

    Threads may share it. Raises `DatabaseUnavailable` if the database cannot be reached.
    """

    def __init__(self, pool: Pool, *, monotonic: Callable[[], float]) -> None:
        self._pool = pool
        self._monotonic = monotonic
        self._lock = Lock()
        self._read: tuple[float, datetime] | None = None

    def __call__(self) -> datetime:
        with self._lock:
            moment = self._monotonic()
            if self._read is None or moment - self._read[0] >= REFRESH_SECONDS:
                with database_errors(), self._pool.connection() as connection:
                    time = server_time(connection)
                self._read = moment, time
            return self._read[1] + timedelta(seconds=moment - self._read[0])
