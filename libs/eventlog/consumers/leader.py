"""Elects one leader among many processes by a session-level advisory lock on a separate connection.

The lock is held as long as the connection. It does not protect against a process that loses its connection
without noticing. The compare-and-swap of the checkpoint (consumers) and the epoch (relay) do.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

import psycopg

RETRY_SECONDS = 1.0
_NAMESPACE = 7_203  # first key of the advisory lock; the second is the hash of the name
_LEADS = """
SELECT EXISTS (
    SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = %s
    AND objid::bigint = hashtext(%s)::bigint & 4294967295
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
"""


def has_leader(connection: psycopg.Connection[Any], name: str) -> bool:
    """Whether a process leads `name` now."""
    row = connection.execute(_LEADS, (_NAMESPACE, name)).fetchone()
    return bool(row and row[0])


@contextmanager
def leadership(
    database_url: str, *, role: str, name: str, stop: Event
) -> Iterator[psycopg.Connection[Any] | None]:
    """Wait until this process leads `name`.

    Yields the connection that holds the lock, or `None` after `stop`.

    Raises:
        psycopg.OperationalError: the database cannot be reached.
    """
    with psycopg.connect(
        database_url,
        autocommit=True,
        options=f"-c role={role} -c idle_in_transaction_session_timeout=10s",
        application_name=f"{role}:{name}",
        connect_timeout=5,
        target_session_attrs="read-write",
        keepalives_idle=5,
        keepalives_interval=2,
        keepalives_count=3,
    ) as connection:
        while not stop.is_set():
            row = connection.execute(
                "SELECT pg_try_advisory_lock(%s, hashtext(%s))", (_NAMESPACE, name)
            ).fetchone()
            if row and row[0]:
                yield connection
                return
            stop.wait(RETRY_SECONDS)
        yield None
