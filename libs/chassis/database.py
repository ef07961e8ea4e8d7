"""PostgreSQL for services: connections, a pool that acts as one role, and `DatabaseUnavailable`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg_pool import ConnectionPool, PoolTimeout

from chassis.observability.metrics import POOL_IN_USE, POOL_WAITING
from chassis.runtime.unavailable import Unavailable

Connection = psycopg.Connection[Any]
Pool = ConnectionPool[Connection]


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached, or the connection broke."""

    code = "database_unavailable"
    sentence = "the database cannot be reached now"
    retry_after = 2

    def __init__(self) -> None:
        super().__init__("the database cannot be reached")


def read_only_connection(database_url: str, *, connect_seconds: int, statement_seconds: int) -> Connection:
    """A connection that cannot write, with limits in seconds. Raises `psycopg.Error`."""
    connection = psycopg.connect(database_url, connect_timeout=connect_seconds, autocommit=True)
    connection.execute("SET default_transaction_read_only = on")
    connection.execute("SELECT set_config('statement_timeout', %s, false)", (f"{statement_seconds}s",))
    return connection


def server_time(connection: Connection) -> datetime:
    """The current time of the database server."""
    found: datetime = scalar(connection, "SELECT clock_timestamp()")
    return found


@contextmanager
def database_errors() -> Iterator[None]:
    """Translate failures of the pool or of the connection to `DatabaseUnavailable`. Other errors pass."""
    try:
        yield
    except (PoolTimeout, psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise DatabaseUnavailable from error


def scalar(
    connection: Connection,
    statement: LiteralString | sql.SQL | sql.Composed,
    parameters: Sequence[object] = (),
) -> Any:
    """The value in the first column of the first row; `None` without a row."""
    row = connection.execute(statement, parameters).fetchone()
    return row[0] if row else None


def open_pool(
    database_url: str, *, role: str, size: int, examine: Callable[[Connection], None] | None = None
) -> Pool:
    """Open a pool of connections that act as the role of one service.

    They are opened in the background. If the database cannot be reached, the first use raises
    `DatabaseUnavailable`. A new connection for which `examine` raises an exception is not used.
    """
    pool = MeasuredPool(
        database_url,
        measured_as=role,
        kwargs={
            "autocommit": True,
            "options": f"-c role={role} -c idle_in_transaction_session_timeout=10s -c statement_timeout=15s",
            "application_name": role,
            "connect_timeout": 5,
            "keepalives_idle": 10,
        },
        min_size=1,
        max_size=size,
        configure=examine,
        check=MeasuredPool.check_connection,  # so that no request fails after a restart of the database
        timeout=5.0,
        reconnect_timeout=0,  # a failed attempt ends at once; the next use starts another one
        open=False,
    )
    pool.open()
    return pool


class MeasuredPool(ConnectionPool[Connection]):
    """Counts connections in use and waiting threads. Pools of the same role are counted together."""

    def __init__(self, conninfo: str, *, measured_as: str, **options: Any) -> None:
        self._working = POOL_IN_USE.labels(measured_as)
        self._queued = POOL_WAITING.labels(measured_as)
        super().__init__(conninfo, **options)

    def getconn(self, timeout: float | None = None) -> Connection:
        self._queued.inc()
        try:
            connection = super().getconn(timeout)
        finally:
            self._queued.dec()
        self._working.inc()
        return connection

    def putconn(self, conn: Connection) -> None:
        self._working.dec()
        super().putconn(conn)
