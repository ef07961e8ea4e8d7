"""Building blocks of queries: statements from conditions, pages, and cursors."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

import msgspec
from psycopg import sql
from psycopg.rows import dict_row

from chassis.database import Connection

Row = dict[str, Any]
Condition = tuple[LiteralString, object]  # a value of `None` does not filter; a list is several values

MAX_LIMIT = 200

_decode = msgspec.json.Decoder().decode


class InvalidCursor(Exception):
    """The text is not a cursor of this query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The rows of a page, and the cursors of the next and the previous page; `None`: there is none."""

    rows: Sequence[Row]
    next_cursor: str | None
    previous_cursor: str | None = None


def select(
    connection: Connection, table: str, conditions: Sequence[Condition], order: LiteralString, limit: int
) -> list[Row]:
    """Select from a view of the live generation, by the conditions whose value is not `None`.

    Conditions and `order` are constants of this package. Values are passed as parameters.
    """
    filtered, parameters = where(conditions)
    statement = sql.SQL("SELECT * FROM {} WHERE {} ORDER BY {} LIMIT {}").format(
        sql.Identifier("rm", table), filtered, sql.SQL(order), sql.Literal(limit)
    )
    with connection.cursor(row_factory=dict_row) as cursor:
        # A switch to a generation with other columns would break a prepared statement.
        return cursor.execute(statement, parameters, prepare=False).fetchall()


def where(conditions: Sequence[Condition]) -> tuple[sql.Composed, list[object]]:
    """The conditions whose value is not `None`, joined by AND, and the values of their parameters."""
    active = [(condition, value) for condition, value in conditions if value is not None]
    parameters: list[object] = []
    for _, value in active:
        parameters.extend(value if isinstance(value, list) else [value])
    return sql.SQL(" AND ").join([sql.SQL(condition) for condition, _ in active]), parameters


def page(rows: list[Row], limit: int, key: Any) -> Page:
    """A page of up to `limit` + 1 rows. `key` returns the key of a row, after which the next page begins."""
    more = len(rows) > limit
    rows = rows[:limit]
    return Page(rows=rows, next_cursor=write_cursor(key(rows[-1])) if more else None)


def write_cursor(key: list[Any]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def read_cursor(text: str, *types: type) -> list[Any]:
    """The key in a cursor, whose parts have these types. Raises `InvalidCursor`.

    A text of the key can be a parameter of a statement: it has no surrogate, which the decoder refuses, and
    no NUL.
    """
    try:
        key = _decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError, msgspec.DecodeError):
        raise InvalidCursor from None
    if not isinstance(key, list) or [type(part) for part in key] != list(types):
        raise InvalidCursor
    if any(isinstance(part, str) and "\0" in part for part in key):
        raise InvalidCursor
    return key
