"""Changes of rows as data: insert, update, put and delete. `projector.write.combine` applies them.

They are msgspec structs, not dataclasses: a rebuild creates millions of them, and a struct takes a fifth of
the time.
"""

from collections.abc import Mapping
from typing import Any, Literal, get_args

from msgspec import Struct

# Tables whose rows change. Rows of other tables are only inserted.
KeyedTable = Literal[
    "credentials",
    "usages",
    "audit_spans",
]
Table = Literal[
    KeyedTable,
    "audit_events",
    "audit_images",
    "verifications",
]

MAX_GATHERED = 50  # items of a `gathered` list; the oldest are dropped


def _key_column(table: KeyedTable) -> str:
    match table:
        case "credentials":
            return "credential_id"
        case "usages":
            return "usage_id"
        case "audit_spans":
            return "span"


# The key column of each table whose rows change.
KEYS: Mapping[Table, str] = {table: _key_column(table) for table in get_args(KeyedTable)}


class Insert(Struct, frozen=True):
    """Insert a row. `copied` columns get the current values of the credential's row in `credentials`."""

    table: Table
    values: Mapping[str, Any]
    copied: Mapping[str, str] = {}  # column here → column of `credentials`


class Update(Struct, frozen=True):
    """Update the row with this key, if it exists and has the values of `where`."""

    table: KeyedTable
    key: object
    values: Mapping[str, object]
    where: Mapping[str, object] = {}


class Put(Struct, frozen=True):
    """Insert the row with this key, or replace it.

    A replaced row is merged: `least` and `greatest` columns get the smaller or the greater value, and a
    `gathered` list gets the new items followed by the earlier ones, without duplicates.
    """

    table: KeyedTable
    key: object
    values: Mapping[str, object]
    least: tuple[str, ...] = ()
    greatest: tuple[str, ...] = ()
    gathered: tuple[str, ...] = ()


class Delete(Struct, frozen=True):
    table: KeyedTable
    key: object


Change = Insert | Put | Update | Delete
