"""What every module calls a connection to PostgreSQL."""

from collections.abc import Sequence
from typing import Any, LiteralString

import psycopg
from psycopg import sql

Connection = psycopg.Connection[Any]


def scalar(
    connection: Connection,
    statement: LiteralString | sql.SQL | sql.Composed,
    parameters: Sequence[object] = (),
) -> Any:
    """The value in the first column of the first row; `None` without a row."""
    row = connection.execute(statement, parameters).fetchone()
    return row[0] if row else None
