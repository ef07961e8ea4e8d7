"""Detects a log that was restored into another PostgreSQL cluster, and adopts it there (ADR 8).

The order of events relies on growing transaction ids. A dump can contain higher ids than the cluster into
which it is restored has assigned. New events would then sort before old ones and never get a position.
"""

from dataclasses import dataclass
from typing import Any

import psycopg

from chassis.database import scalar
from eventlog.storage.errors import LowerTransactionIds

# `es.sequence` never reaches these events. It reads all events.
_HAS_SKIPPED_EVENTS = """
SELECT EXISTS (SELECT FROM es.events e, es.tail() t
               WHERE ((e.xid, e.seq) <= (t.xid, t.seq) OR e.seq <= t.adopted)
                 AND NOT EXISTS (SELECT FROM es.log l
                                 WHERE l.stream_id = e.stream_id AND l.version = e.version))
"""


@dataclass(frozen=True, slots=True)
class Adopted:
    """The log ends at `position`. The adoption assigned a position to `assigned` events."""

    position: int
    assigned: int


def has_lower_transaction_ids(connection: psycopg.Connection[Any]) -> bool:
    """Whether the log contains a higher transaction id than this cluster has assigned."""
    return bool(scalar(connection, "SELECT es.has_lower_ids()"))


def has_skipped_events(connection: psycopg.Connection[Any]) -> bool:
    """Whether the log has events before its end that have no position and would never get one.

    They were appended after a restore, when the cluster had lower transaction ids than the log.
    """
    return bool(scalar(connection, _HAS_SKIPPED_EVENTS))


def refuse_lower_transaction_ids(connection: psycopg.Connection[Any]) -> None:
    """Raise `LowerTransactionIds` if the log does not fit this cluster."""
    if has_lower_transaction_ids(connection):
        raise LowerTransactionIds


def adopt_log(database_url: str) -> Adopted | None:
    """Begin a new order of events after the end of the log, and give every event a position.

    Returns `None` if the log fits this cluster and no event was skipped.

    The login must own the schema. Appends and the relay wait until the end. No stored row is changed.
    """
    with psycopg.connect(database_url, connect_timeout=5) as connection:
        if not (has_lower_transaction_ids(connection) or has_skipped_events(connection)):
            return None
        row = connection.execute("SELECT log_end, assigned FROM es.adopt()").fetchone()
    return Adopted(*row) if row else None
