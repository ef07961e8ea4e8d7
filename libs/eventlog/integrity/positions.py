"""Positions of consumers and of the publisher that are after the end of the log.

No process writes one. With it, a consumer skips every event until the log has reached that position.
"""

from collections.abc import Iterator
from typing import Any

import psycopg

from eventlog.integrity.differences import Difference

_END = "(SELECT coalesce(max(position), 0) FROM es.log)"
_AFTER_END = f"""
SELECT 'es.checkpoints', consumer, 'position' FROM es.checkpoints WHERE position > {_END}
UNION ALL SELECT 'es.relay', name, 'published' FROM es.relay WHERE published > {_END}
"""  # noqa: S608 a constant of this module
_SET_BACK = (
    f"UPDATE es.checkpoints SET position = {_END} WHERE position > {_END}",  # noqa: S608
    f"UPDATE es.relay SET published = {_END} WHERE published > {_END}",  # noqa: S608
)


def position_differences(connection: psycopg.Connection[Any]) -> Iterator[Difference]:
    """The positions after the end of the log."""
    for table, key, column in connection.execute(_AFTER_END).fetchall():
        yield Difference(table, key, "changed", (column,))


def set_back_positions(connection: psycopg.Connection[Any]) -> int:
    """Set these positions to the end of the log. Returns their number. The login must own the schema.

    Events between the right position and the end stay skipped; nobody knows the right one.
    """
    return sum(connection.execute(statement).rowcount for statement in _SET_BACK)
