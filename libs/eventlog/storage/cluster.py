"""Does the log fit the cluster it is in? The order of events counts on transaction ids that only grow.

A dump that is restored into another cluster brings higher ids along than that cluster has given out: new
events would sort before old ones, and never get a position. ADR 8 has the remedy.
"""

from dataclasses import dataclass
from typing import Any

import psycopg

from eventlog.storage.errors import YoungerCluster

_YOUNGER = """
SELECT greatest(t.xid, (SELECT e.xid FROM es.events e WHERE e.seq > t.adopted
                        ORDER BY e.xid DESC, e.seq DESC LIMIT 1)) >= pg_snapshot_xmax(pg_current_snapshot())
FROM es.tail() t
"""


@dataclass(frozen=True, slots=True)
class Adopted:
    """The log now ends at `position`; `assigned` events were given theirs by the adoption."""

    position: int
    assigned: int


def is_younger_cluster(connection: psycopg.Connection[Any]) -> bool:
    """Whether this cluster has given out fewer transaction ids than the log has seen."""
    row = connection.execute(_YOUNGER).fetchone()
    return bool(row and row[0])


def refuse_younger_cluster(connection: psycopg.Connection[Any]) -> None:
    """Raises `YoungerCluster`. The connection may read the log, as the relay and the projector may."""
    if is_younger_cluster(connection):
        raise YoungerCluster


def adopt_log(database_url: str) -> Adopted | None:
    """Make the order begin anew behind the end of the log; `None` where the cluster is not younger.

    Needs the owner of the schema. Appends and the relay wait meanwhile; no stored row is changed.
    """
    with psycopg.connect(database_url) as connection:
        if not is_younger_cluster(connection):
            return None
        row = connection.execute("SELECT log_end, assigned FROM es.adopt()").fetchone()
    return Adopted(*row) if row else None
