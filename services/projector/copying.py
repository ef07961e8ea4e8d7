"""Writing a generation that nobody reads yet: by COPY, and rows that change not each time that they do."""

from collections.abc import Sequence
from typing import Any

import psycopg

from projector.folding import fold, keys_of
from projector.horizon import beyond, horizon
from projector.known_rows import KnownRows
from projector.projections.changes import Change
from projector.tables import Tables

Connection = psycopg.Connection[Any]


class Copying:
    """Writes what is only added with each batch, and rows that change with one of `every` batches, or when
    there are many. In between the tables are not `whole`: whoever puts off writing has to know from where to
    begin again if it does not come to it.
    """

    def __init__(self, every: int) -> None:
        self._every = every
        self._known = KnownRows()
        self._put_off = 0  # batches

    @property
    def whole(self) -> bool:
        """Whether the tables have all that was given to `write`."""
        return self._known.all_written

    def write(self, connection: Connection, tables: Tables, changes: Sequence[Change]) -> None:
        """A batch, in a transaction that has locked the checkpoint. What is sealed is left out: the live
        generation alone is beyond the horizon, always.

        Raises:
            RowExists: as the database would refuse it.
        """
        changes = beyond(changes, horizon(connection))
        keys = keys_of(changes)
        keys.pop("audit_spans")  # shards have the same ones: `Tables.add` widens what is there then
        known, unknown = self._known.of(keys)
        loaded = tables.load(connection, unknown)
        self._known.loaded(loaded)
        folded = fold(changes, {table: known[table] | dict(loaded.get(table, {})) for table in keys})
        self._known.changed(folded)
        self._put_off += 1
        if self._put_off >= self._every or self._known.full:
            self.complete(connection, tables)
        self._known.trim()
        tables.add(connection, folded)

    def complete(self, connection: Connection, tables: Tables) -> None:
        """Write what was put off."""
        tables.replace(connection, self._known.unwritten())
        self._known.written()
        self._put_off = 0

    def forget(self) -> None:
        """A transaction did not commit, or somebody else has written since."""
        self._known.forget()
