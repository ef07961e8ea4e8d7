"""Load and write the rows of one generation, in a few statements per batch.

The columns are read from the database: a generation that an older program created lacks columns that were
added later, and continues without them until the next rebuild.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import set_json_dumps

from projector.write.combine import KEYS, Combined, Row, Rows
from projector.write.projections.changes import Table

Connection = psycopg.Connection[Any]

_COLUMNS = """
SELECT r.relname, a.attname, format_type(a.atttypid, NULL)
FROM pg_attribute a JOIN pg_class r ON r.oid = a.attrelid JOIN pg_namespace n ON n.oid = r.relnamespace
WHERE n.nspname = %s AND r.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY r.relname, a.attnum
"""


class Tables:
    """The tables `rm_g<N>.*`. A writer holds the lock on the generation's row in `rm.generations`."""

    def __init__(self, connection: Connection, generation: int) -> None:
        self._schema = f"rm_g{generation}"
        self._columns: dict[str, list[str]] = {}
        self._types: dict[str, list[str]] = {}
        for table, column, type_name in connection.execute(_COLUMNS, (self._schema,)).fetchall():
            self._columns.setdefault(table, []).append(column)
            self._types.setdefault(table, []).append(type_name)

    def load(self, connection: Connection, keys: Mapping[Table, Iterable[Any]]) -> Rows:
        """The existing rows with these keys."""
        return {
            table: self._load(connection, table, [key for key in wanted if key is not None])
            for table, wanted in keys.items()
            if table in self._columns
        }

    def insert(self, connection: Connection, combined: Combined) -> None:
        """Write by INSERT, with few round trips. It is for the small batches of the live generation."""
        with connection.pipeline():
            self._delete(connection, combined.deleted)
            for table, rows in combined.inserts.items():
                self._insert(connection, table, rows)
            for table, keyed in combined.put.items():
                self._insert(connection, table, list(keyed.values()), key=KEYS[table])

    def copy(self, connection: Connection, combined: Combined) -> None:
        """Write by COPY, which takes the least time per row. Changed rows are deleted and copied again."""
        for table, keyed in combined.put.items():
            self._delete(connection, {table: [*combined.deleted[table], *keyed]})
            self._copy(connection, table, list(keyed.values()))
        for table, rows in combined.inserts.items():
            self._copy(connection, table, rows)

    def _load(self, connection: Connection, table: Table, keys: Sequence[Any]) -> dict[Any, Row]:
        if not keys:
            return {}
        key = KEYS[table]
        statement = sql.SQL("SELECT * FROM {} WHERE {} = ANY (%s)").format(
            sql.Identifier(self._schema, table), sql.Identifier(key)
        )
        with connection.cursor(row_factory=dict_row, binary=True) as cursor:
            return {row[key]: row for row in cursor.execute(statement, (keys,), prepare=False).fetchall()}

    def _insert(
        self, connection: Connection, table: Table, rows: Sequence[Row], *, key: str | None = None
    ) -> None:
        """Insert any number of rows in one statement, as one JSON document."""
        if not rows or table not in self._columns:
            return
        columns = sql.SQL(", ").join(map(sql.Identifier, self._columns[table]))
        name = sql.Identifier(self._schema, table)
        statement = sql.SQL(
            "INSERT INTO {name} ({columns}) SELECT {columns} FROM jsonb_populate_recordset(NULL::{name}, %s)"
        ).format(name=name, columns=columns)
        if key is not None:
            updates = [
                sql.SQL("{0} = excluded.{0}").format(sql.Identifier(column))
                for column in self._columns[table]
                if column != key
            ]
            statement += sql.SQL(" ON CONFLICT ({}) DO UPDATE SET {}").format(
                sql.Identifier(key), sql.SQL(", ").join(updates)
            )
        connection.execute(statement, (msgspec.json.encode(rows).decode(),))

    def _copy(self, connection: Connection, table: Table, rows: Sequence[Row]) -> None:
        if not rows or table not in self._columns:
            return
        names = self._columns[table]
        statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
            sql.Identifier(self._schema, table), sql.SQL(", ").join(map(sql.Identifier, names))
        )
        with connection.cursor() as cursor:
            set_json_dumps(msgspec.json.encode, cursor)
            with cursor.copy(statement) as copy:
                copy.set_types(self._types[table])
                for row in rows:
                    copy.write_row(list(map(row.get, names)))

    def _delete(self, connection: Connection, keys: Mapping[Table, Sequence[Any]]) -> None:
        for table, deleted in keys.items():
            if deleted and table in self._columns:
                connection.execute(
                    sql.SQL("DELETE FROM {} WHERE {} = ANY (%s)").format(
                        sql.Identifier(self._schema, table), sql.Identifier(KEYS[table])
                    ),
                    (deleted,),
                    prepare=False,
                )
