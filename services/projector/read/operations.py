"""The state of the log and its consumers, for operators without access to the servers.

The result has a limited size. `regcred deadletters` and `regcred projections` report more, and can change the
state.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.rows import dict_row

from chassis.database import Connection
from projector.read.selection import Row

_MAX_DEAD_LETTERS = 20
_LOG = "SELECT log_position, published_position, horizon_lag_seconds FROM es.log_metrics()"
# In es.dead_letters and es.retries, the name of the projector includes its generation.
_CONSUMERS = """
SELECT c.consumer AS name, c.checkpoint AS position, c.lag_events, c.lag_seconds, c.dead_letters,
       (SELECT count(*) FROM es.retries r WHERE r.consumer = c.consumer) AS retries
FROM es.consumer_metrics() c ORDER BY c.consumer
"""
_DEAD_LETTERS = """
SELECT CASE WHEN p.consumer LIKE 'projector:%%' THEN 'projector' ELSE p.consumer END AS consumer,
       p.position, a.action AS type, a.account_id, p.attempts, p.reason, p.since
FROM es.dead_letters p LEFT JOIN rm.audit_events a ON a.position = p.position
WHERE p.consumer NOT LIKE 'projector:%%'
   OR p.consumer = (SELECT 'projector:' || g.generation FROM rm.generations g WHERE g.status = 'live')
ORDER BY p.since, p.position LIMIT %s
"""


_UNREADABLE = "SELECT count(*) AS secrets FROM rm.credentials WHERE verification_code = 'secret_unreadable'"


@dataclass(frozen=True, slots=True)
class Operations:
    """Metrics of the log, a row for each consumer, the oldest dead letters, and the number of lost secrets.

    Of the projector, only dead letters of the live generation are included.
    """

    log: Row
    consumers: Sequence[Row]
    dead_letters: Sequence[Row]
    unreadable_secrets: int


def operations(connection: Connection) -> Operations:
    """The current state."""
    with connection.cursor(row_factory=dict_row) as cursor:

        def rows(statement: Any, *values: object) -> list[Row]:
            return cursor.execute(statement, values or None).fetchall()

        [log] = rows(_LOG)
        [unreadable] = rows(_UNREADABLE)
        return Operations(
            log, rows(_CONSUMERS), rows(_DEAD_LETTERS, _MAX_DEAD_LETTERS), unreadable["secrets"]
        )
