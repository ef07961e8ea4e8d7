"""Changes of rows as data: insert, update, put and delete. `projector.write.combine` applies them.

They are msgspec structs, not dataclasses: a rebuild creates millions of them, and a struct takes a fifth of
the time.
"""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

Table = Literal["credentials", "usages", "verifications", "audit_events", "audit_images", "audit_spans"]
# Tables whose rows change. Rows of other tables are only inserted.
KeyedTable = Literal["credentials", "usages", "audit_spans"]

MAX_GATHERED = 50  # items of a `gathered` list; the oldest are dropped


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
