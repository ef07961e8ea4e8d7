"""What operators want to know of an installation without its servers: who is behind, and what was set aside.

Each statement is bounded; `regcred deadletters` and `regcred projections` tell more, and act.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.rows import dict_row

from chassis.database import Connection
from projector.read.selection import Row

_LISTED = 20  # dead letters
_LOG = "SELECT log_position, published_position, horizon_lag_seconds FROM es.log_metrics()"
# A consumer's name in es.dead_letters and es.retries: the read models' names their generation.
_CONSUMERS = """
SELECT c.consumer AS name, c.checkpoint AS position, c.lag_events, c.lag_seconds, c.dead_letters,
       (SELECT count(*) FROM es.retries r WHERE r.consumer = c.consumer) AS retries
FROM es.consumer_metrics() c ORDER BY c.consumer
"""
_LETTERS = """
SELECT CASE WHEN p.consumer LIKE 'projector:%%' THEN 'projector' ELSE p.consumer END AS consumer,
       p.position, a.action AS type, a.account_id, p.attempts, p.reason, p.since
FROM es.dead_letters p LEFT JOIN rm.audit_events a ON a.position = p.position
WHERE p.consumer NOT LIKE 'projector:%%'
   OR p.consumer = (SELECT 'projector:' || g.generation FROM rm.generations g WHERE g.status = 'live')
ORDER BY p.since, p.position LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Operations:
    """The log's figures, a row for each consumer, and the oldest dead letters of those that readers see."""

    log: Row
    consumers: Sequence[Row]
    dead_letters: Sequence[Row]


def operations(connection: Connection) -> Operations:
    """As it is now."""
    with connection.cursor(row_factory=dict_row) as cursor:

        def rows(statement: Any, *values: object) -> list[Row]:
            return cursor.execute(statement, values or None).fetchall()

        [log] = rows(_LOG)
        return Operations(log, rows(_CONSUMERS), rows(_LETTERS, _LISTED))
