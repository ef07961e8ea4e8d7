"""Elects one leader among many processes by a lease, a row of `es.leases` with an epoch and an expiry.

A lease ends at once with the connection of the leader. If the database does not notice its end, because the
process is stopped or its host is lost, the lease ends by the clock of the database: the leader renews it with
the statements that it executes. Then another process begins the next epoch. A former leader that wakes up can
change nothing, because each transaction of a leader checks its epoch (SQLSTATE ES410).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from threading import Event
from time import monotonic
from typing import Any

import psycopg

from chassis.database import Connection, ServiceConnection, refuse_pooler, scalar, session
from chassis.runtime.loops import DEAD_AFTER_SECONDS, Step, no_step
from eventlog.storage.errors import StaleLeader

LEASE_SECONDS = 8.0
RETRY_SECONDS = 1.0  # between two attempts of a standby to lead
_RENEWALS = 4  # in the time of a lease
# Another epoch; the session was ended because the process stopped in a transaction.
_STALE = frozenset({"ES410", "25P03"})


@dataclass(frozen=True, slots=True)
class Lease:
    """The leadership of `name` in one epoch."""

    name: str
    epoch: int


_current: ContextVar[Lease | None] = ContextVar("lease", default=None)


def current_lease() -> Lease | None:
    """The lease under which this thread works.

    A thread that is started with `contextvars.copy_context()` keeps the lease of that time, so it cannot work
    under a later lease of the same process.
    """
    return _current.get()


def check_lease(connection: Connection) -> None:
    """Check the current lease, if there is one, until the end of the transaction of `connection`.

    Raises `psycopg.Error` with SQLSTATE ES410 if another process leads.
    """
    lease = _current.get()
    if lease is not None:
        connection.execute("SELECT es.fence(%s, %s)", (lease.name, lease.epoch))


def has_leader(connection: Connection, name: str) -> bool:
    """Whether a process leads `name` now. A stopped leader does until its lease expires."""
    return bool(scalar(connection, "SELECT es.has_leader(%s)", (name,)))


class LeaderConnection(ServiceConnection):
    """The connection of a leader, or of a standby that waits.

    Each transaction checks the epoch, and each statement renews the lease if that is due. Both count as a
    step of the loop. A statement has no limit at the server, but each of them ends before the loop counts as
    dead.
    """

    response_seconds = DEAD_AFTER_SECONDS - 20

    _lease: Lease | None = None
    _seconds = LEASE_SECONDS
    _renewal_due = 0.0
    _step: Step = staticmethod(no_step)

    @property
    def lease(self) -> Lease:
        """The lease of this leader."""
        if self._lease is None:
            raise StaleLeader
        return self._lease

    def lead(self, name: str, seconds: float, step: Step) -> bool:
        """Try to lead. False if another process leads."""
        self._seconds, self._step = seconds, step
        self._step()
        epoch = scalar(self, "SELECT es.lead(%s, make_interval(secs => %s))", (name, seconds))
        if epoch is not None:
            self._renewed()
            self._lease = Lease(name, epoch)
        return epoch is not None

    def execute(self, *arguments: Any, **options: Any) -> psycopg.Cursor[Any]:
        self._step()
        if self._lease is not None and monotonic() >= self._renewal_due:
            self._renewed()
            super().execute(
                "SELECT es.renew(%s, %s, make_interval(secs => %s))",
                (self._lease.name, self._lease.epoch, self._seconds),
            )
        return super().execute(*arguments, **options)

    @contextmanager
    def transaction(
        self, savepoint_name: str | None = None, force_rollback: bool = False
    ) -> Iterator[psycopg.Transaction]:
        with super().transaction(savepoint_name, force_rollback) as transaction:
            self.execute("SELECT es.fence(%s, %s)", (self.lease.name, self.lease.epoch))
            yield transaction

    def _renewed(self) -> None:
        self._renewal_due = monotonic() + self._seconds / _RENEWALS


@contextmanager
def leadership(
    database_url: str,
    *,
    role: str,
    name: str,
    stop: Event,
    step: Step = no_step,
) -> Iterator[LeaderConnection | None]:
    """Wait until this process leads `name`.

    Yields the connection of the leader, or `None` after `stop`. `step` is called at each attempt and at each
    statement.

    Raises:
        psycopg.OperationalError: the database cannot be reached.
        StaleLeader: another process leads, because this one did not renew its lease in time.
    """
    with LeaderConnection.connect(database_url, **session(role, part=name)) as connection:
        refuse_pooler(connection)
        while not connection.lead(name, LEASE_SECONDS, step):
            if stop.wait(RETRY_SECONDS):
                yield None
                return
        token = _current.set(connection.lease)
        try:
            yield connection
        except psycopg.Error as error:
            if error.sqlstate in _STALE:
                raise StaleLeader from None
            raise
        finally:
            _current.reset(token)
