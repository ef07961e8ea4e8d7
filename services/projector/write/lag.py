"""The lag of a generation behind the log, in events and in seconds."""

from dataclasses import dataclass
from typing import Any

import psycopg

_LAG = """
SELECT greatest(coalesce(max(l.position), 0) - %(position)s, 0),
       (SELECT greatest(extract(epoch FROM clock_timestamp() - e.recorded_at), 0)::float8
        FROM es.log n JOIN es.events e ON e.stream_id = n.stream_id AND e.version = n.version
        WHERE n.position = %(position)s + 1)
FROM es.log l
"""


@dataclass(frozen=True, slots=True)
class Lag:
    """`seconds` is the age of the oldest event that is not handled yet. 0.0 if there is none."""

    events: int
    seconds: float


def lag_behind(connection: psycopg.Connection[Any], position: int) -> Lag:
    """The lag of a consumer that has handled every event up to `position`."""
    row = connection.execute(_LAG, {"position": position}).fetchone()
    return Lag(int(row[0]), row[1] or 0.0) if row else Lag(0, 0.0)
