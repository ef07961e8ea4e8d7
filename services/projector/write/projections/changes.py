"""Changes of rows, as data: to insert, to put, to change, to delete (`projector.write.fold`).

Structs where elsewhere there are dataclasses: a rebuild makes millions of them, at a fifth of the time each.
"""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

Table = Literal["credentials", "usages", "verifications", "audit_events", "audit_images", "audit_spans"]
# Whose rows change; rows of the others stay as they were inserted.
KeyedTable = Literal["credentials", "usages", "audit_spans"]

MAX_GATHERED = 50  # items of a list that is gathered; the oldest go


class Insert(Struct, frozen=True):
    """A new row. `copied` takes columns from the row of `credentials` that it is about, as it is then."""

    table: Table
    values: Mapping[str, Any]
    copied: Mapping[str, str] = {}  # column here → column of `credentials`


class Update(Struct, frozen=True):
    """Change the row with that key, if it (still) looks as `where` says."""

    table: KeyedTable
    key: object
    values: Mapping[str, object]
    where: Mapping[str, object] = {}


class Put(Struct, frozen=True):
    """The row with that key is as `values` say, whether there was one or not. Of the one that was there,
    the `least` and `greatest` columns stay where they are smaller or greater, and the items of a `gathered`
    list stay behind the new ones, each once.
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
