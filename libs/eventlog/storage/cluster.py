"""Detects a log that was restored into another PostgreSQL cluster, and adopts it there (ADR 8).

The order of events relies on growing transaction ids. A dump can contain higher ids than the cluster into
which it is restored has assigned. New events would then sort before old ones and never get a position.
"""

from dataclasses import dataclass
from typing import Any

import psycopg

from eventlog.storage.errors import LowerTransactionIds

_HAS_LOWER_IDS = """
SELECT greatest(t.xid, (SELECT e.xid FROM es.events e WHERE e.seq > t.adopted
                        ORDER BY e.xid DESC, e.seq DESC LIMIT 1)) >= pg_snapshot_xmax(pg_current_snapshot())
FROM es.tail() t
"""


@dataclass(frozen=True, slots=True)
class Adopted:
    """The log ends at `position`. The adoption assigned a position to `assigned` events."""

    position: int
    assigned: int


def has_lower_transaction_ids(connection: psycopg.Connection[Any]) -> bool:
    """Whether the log contains a higher transaction id than this cluster has assigned."""
    row = connection.execute(_HAS_LOWER_IDS).fetchone()
    return bool(row and row[0])


def refuse_lower_transaction_ids(connection: psycopg.Connection[Any]) -> None:
    """Raise `LowerTransactionIds` if the log does not fit this cluster.

    The role must be able to read the log.
    """
    if has_lower_transaction_ids(connection):
        raise LowerTransactionIds


def adopt_log(database_url: str) -> Adopted | None:
    """Begin a new order of events after the end of the log. Returns `None` if the log fits this cluster.

    The login must own the schema. Appends and the relay wait until the end. No stored row is changed.
    """
    with psycopg.connect(database_url) as connection:
        if not has_lower_transaction_ids(connection):
            return None
        row = connection.execute("SELECT log_end, assigned FROM es.adopt()").fetchone()
    return Adopted(*row) if row else None
