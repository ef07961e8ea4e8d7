"""PostgreSQL for services: connections, a pool that acts as one role, and `DatabaseUnavailable`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime
from time import monotonic
from typing import Any, LiteralString, cast

import psycopg
from psycopg import sql
from psycopg.abc import RV, PQGen
from psycopg_pool import ConnectionPool, TooManyRequests

from chassis.database_times import read_every_time
from chassis.observability.metrics import POOL_IN_USE, POOL_WAITING
from chassis.runtime.guarded_dependency import GuardedDependency, NotAdmitted
from chassis.runtime.unavailable import Unavailable

read_every_time()

Connection = psycopg.Connection[Any]
Pool = ConnectionPool[Connection]

WAITING_REQUESTS = 12  # request threads that may wait for a connection of a pool at the same time
SILENCE_SECONDS = 10  # without packets of the other end, until a connection counts as lost
CHECK_SECONDS = 5.0  # for the response that shows that a resting connection can be used
_STATEMENT_SECONDS = 15  # of a statement of a service, at the server
_SERVER_KEEPALIVES = {
    "tcp_keepalives_idle": "4",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": f"{SILENCE_SECONDS}s",
}
# The server cannot write (standby, demoted primary), or ended an idle or long transaction. psycopg maps the
# class 25 to InternalError.
_READ_ONLY = "25006"
_STATES = frozenset({_READ_ONLY, "25P03", "25P04"})


class ServiceConnection(psycopg.Connection[Any]):
    """Gives up a server that does not respond to a statement in `response_seconds`.

    Limits at the server, and those of TCP, do not end the wait for a server that is stopped: its kernel still
    acknowledges packets.
    """

    response_seconds = _STATEMENT_SECONDS + 5.0

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Wait for a response. Raises `psycopg.OperationalError` and closes the connection if none comes."""
        if timeout is not None:  # the caller handles the end of this time
            return super().wait(gen, interval, timeout)
        deadline = monotonic() + self.response_seconds
        try:
            return super().wait(gen, interval, self.response_seconds)
        except psycopg.OperationalError:
            if monotonic() < deadline:
                raise
            self.pgconn.finish()  # its response to this statement may still come
            raise psycopg.OperationalError("timeout: no response to a statement") from None


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached, the connection broke, or the server cannot execute statements now."""

    code = "database_unavailable"
    sentence = "the database cannot be reached now, or cannot execute this now"
    retry_after = 2

    def __init__(self, reason: str = "the database is unavailable") -> None:
        super().__init__(reason)


def is_unavailable(error: Exception) -> bool:
    """Whether an error comes from the state of the database, so that the same statement may succeed later.

    `OperationalError` includes failed connections and the SQLSTATE classes 08 (connection), 40 (deadlock,
    serialisation), 53 (full disk, memory, connections), 55 (locks), 57 (shutdown, timeout) and 58 (I/O).
    """
    if isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
        return True
    return isinstance(error, psycopg.Error) and error.sqlstate in _STATES


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
    """Translate errors for which `is_unavailable` to `DatabaseUnavailable`. Other errors pass."""
    try:
        yield
    except psycopg.Error as error:
        if is_unavailable(error):
            raise DatabaseUnavailable from error
        raise


def scalar(
    connection: Connection,
    statement: LiteralString | sql.SQL | sql.Composed,
    parameters: Sequence[object] = (),
) -> Any:
    """The value in the first column of the first row; `None` without a row."""
    row = connection.execute(statement, parameters).fetchone()
    return row[0] if row else None


def session(role: str, *, part: str = "", writes: bool = True, **settings: str) -> dict[str, Any]:
    """The arguments of `psycopg.connect` for a session of a service: its role, and limits at both ends.

    `part` is what the connection is for, and follows the role in its name. With `writes`, a server that is
    read-only is not used. `settings` are those of PostgreSQL. If the other end does not respond, each end
    gives the connection up within `SILENCE_SECONDS`, also if packets are dropped or a machine is lost.
    """
    options = {"role": role, **_SERVER_KEEPALIVES, "idle_in_transaction_session_timeout": "5s", **settings}
    return {
        "autocommit": True,
        "options": " ".join(f"-c {name}={value}" for name, value in options.items()),
        "application_name": f"{role}:{part}" if part else role,
        "connect_timeout": 5,
        "target_session_attrs": "read-write" if writes else "any",
        "keepalives_idle": 4,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": SILENCE_SECONDS * 1000,
    }


def refuse_pooler(connection: Connection) -> None:
    """Raise `psycopg.OperationalError` if a pooler such as pgbouncer is between this program and PostgreSQL.

    Roles, leases, locks, limits and `LISTEN` belong to a session, which a pooler gives to other clients. A
    pooler tells its clients a process id of its own.
    """
    if connection.info.backend_pid != scalar(connection, "SELECT pg_backend_pid()"):
        raise psycopg.OperationalError("a connection pooler")


def open_pool(
    database_url: str,
    *,
    role: str,
    size: int,
    writes: bool = True,
    serves_requests: bool = False,
    examine: Callable[[Connection], None] | None = None,
    connects: bool = True,
) -> Pool:
    """Open a pool of connections that act as the role of one service.

    It connects in the background, without `connects` only after its `open` was called. If the database cannot
    be reached, the first use raises `DatabaseUnavailable`. With `writes`, a standby or a read-only server
    counts as a database that cannot be reached; of several hosts in the URL the primary is used. With
    `serves_requests`, a limited number of threads waits for a database that does not respond, and the others
    are refused. A new connection for which `examine` raises an exception is not used.
    """

    def configure(connection: Connection) -> None:
        refuse_pooler(connection)
        if examine is not None:
            examine(connection)

    return MeasuredPool(
        database_url,
        measured_as=role,
        guard=GuardedDependency(slots=WAITING_REQUESTS, in_turn=True) if serves_requests else None,
        kwargs=session(
            role,
            writes=writes,
            idle_in_transaction_session_timeout="10s",
            statement_timeout=f"{_STATEMENT_SECONDS}s",
        ),
        connection_class=ServiceConnection,
        min_size=1,
        max_size=size,
        configure=configure,
        # so that no request fails after a restart or a failover of the database
        check=_check_writable if writes else _check_responds,
        timeout=5.0,
        reconnect_timeout=0,  # a failed attempt ends at once; the next use starts another one
        open=connects,
    )


def _check_responds(connection: Connection) -> None:
    """Raise an exception if the connection is broken, or its server does not respond in `CHECK_SECONDS`."""
    checked = cast(ServiceConnection, connection)  # the class of the connections of this pool
    usual, checked.response_seconds = checked.response_seconds, CHECK_SECONDS
    try:
        MeasuredPool.check_connection(checked)
    finally:
        checked.response_seconds = usual


def _check_writable(connection: Connection) -> None:
    """Raise an exception as `_check_responds`, or if the server has become read-only.

    The server reports both parameters by itself, at the latest with the response to this statement.
    """
    _check_responds(connection)
    status = connection.info.parameter_status
    if "on" in (status("in_hot_standby"), status("default_transaction_read_only")):
        raise psycopg.OperationalError("the server is read-only")


class MeasuredPool(ConnectionPool[Connection]):
    """Counts connections in use and waiting threads. Pools of the same role are counted together.

    `guard` limits the waiting threads.
    """

    def __init__(
        self, conninfo: str, *, measured_as: str, guard: GuardedDependency | None = None, **options: Any
    ) -> None:
        self._guard = guard
        self._working = POOL_IN_USE.labels(measured_as)
        self._queued = POOL_WAITING.labels(measured_as)
        super().__init__(conninfo, **options)

    def getconn(self, timeout: float | None = None) -> Connection:
        self._queued.inc()
        try:
            with self._guard.call() if self._guard else nullcontext():
                connection = super().getconn(timeout)
        except NotAdmitted as refused:
            raise TooManyRequests(str(refused)) from None
        finally:
            self._queued.dec()
        self._working.inc()
        return connection

    @contextmanager
    def connection(self, timeout: float | None = None) -> Iterator[Connection]:
        with super().connection(timeout) as connection:
            try:
                yield connection
            except psycopg.Error as error:
                if error.sqlstate == _READ_ONLY:
                    connection.close()  # so that it is replaced by one to the primary
                raise

    def putconn(self, conn: Connection) -> None:
        self._working.dec()
        super().putconn(conn)
