"""Combine the changes of a batch in memory, so that each row with a key is written once. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from projector.write.projections.changes import MAX_GATHERED, Change, Delete, Insert, Put, Table, Update

Row = Mapping[str, Any]
Rows = Mapping[Table, Mapping[Any, Row]]

# The key column of each table whose rows change. Rows of other tables are only inserted.
KEYS: Mapping[Table, str] = {"credentials": "credential_id", "usages": "usage_id", "audit_spans": "span"}


class RowExists(Exception):
    """A change inserts a row whose key exists already."""


@dataclass(frozen=True, slots=True)
class Combined:
    """The rows to write.

    `inserts` are new rows of tables without a key. `put` has the new state of each changed row with a key.
    `deleted` has the keys of rows that existed before and are deleted.
    """

    inserts: Mapping[Table, Sequence[Row]]
    put: Rows
    deleted: Mapping[Table, Sequence[Any]]


def keys_of(changes: Iterable[Change]) -> dict[Table, set[Any]]:
    """The keys of the rows that have to be loaded before these changes can be combined."""
    keys: dict[Table, set[Any]] = {table: set() for table in KEYS}
    for change in changes:
        if not isinstance(change, Insert):
            keys[change.table].add(change.key)
        elif column := KEYS.get(change.table):
            keys[change.table].add(change.values[column])
        elif change.copied:
            keys["credentials"].add(change.values["credential_id"])
    return keys


def combine(changes: Iterable[Change], before: Rows) -> Combined:
    """Apply changes one after the other to the rows that existed `before`.

    Raises:
        RowExists: an inserted row has the key of an existing one.
    """
    rows: dict[Table, dict[Any, Row | None]] = {table: dict(before.get(table, {})) for table in KEYS}
    inserts: dict[Table, list[Row]] = {}
    for change in changes:
        match change:
            case Insert():
                column = KEYS.get(change.table)
                if column is None:
                    inserts.setdefault(change.table, []).append(_with_copies(change, rows["credentials"]))
                elif rows[change.table].get(change.values[column]) is not None:
                    raise RowExists
                else:
                    rows[change.table][change.values[column]] = change.values
            case Put():
                rows[change.table][change.key] = _merged(change, rows[change.table].get(change.key))
            case Update():
                row = rows[change.table].get(change.key)
                if row is not None and all(row[name] == value for name, value in change.where.items()):
                    rows[change.table][change.key] = {**row, **change.values}
            case Delete():
                rows[change.table][change.key] = None
    put: dict[Table, dict[Any, Row]] = {}
    deleted: dict[Table, list[Any]] = {}
    for name, table in rows.items():
        old = before.get(name, {})
        put[name] = {key: row for key, row in table.items() if row is not None and row is not old.get(key)}
        deleted[name] = [key for key, row in table.items() if row is None and key in old]
    return Combined(inserts=inserts, put=put, deleted=deleted)


def _merged(put: Put, row: Row | None) -> Row:
    if row is None:
        return put.values
    values: dict[str, Any] = dict(put.values)
    for column in put.least:
        values[column] = min(values[column], row[column])
    for column in put.greatest:
        values[column] = max(values[column], row[column])
    for column in put.gathered:
        values[column] = list(dict.fromkeys([*values[column], *row[column]]))[:MAX_GATHERED]
    return values


def _with_copies(insert: Insert, credentials: Mapping[Any, Row | None]) -> Row:
    if not insert.copied:
        return insert.values
    row = credentials.get(insert.values["credential_id"]) or {}
    values = dict(insert.values)
    for column, source in insert.copied.items():
        values[column] = row.get(source)
    return values
