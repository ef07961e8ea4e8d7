"""A pool of database connections that tells how many work and how many threads wait for one."""

from typing import Any

from psycopg_pool import ConnectionPool

from shared.observability.metrics import POOL_IN_USE, POOL_WAITING
from shared.runtime.database import Connection


class MeasuredPool(ConnectionPool[Connection]):
    """Pools of one name (a role) are counted together."""

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
