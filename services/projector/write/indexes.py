"""The indexes of a generation, created after its rows."""

import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

Connection = psycopg.Connection[Any]

# An index of a table of this size takes a fifth of a second, about as long as a batch of a rebuild. Indexes
# of larger tables are created concurrently.
BRIEF_BYTES = 64 * 1024 * 1024

_STATEMENT = re.compile(r"^CREATE INDEX (\w+) ON (\w+) (.+);$", re.MULTILINE)
_SORTING = "256MB"  # a million keys are sorted in memory
_LARGEST = """
SELECT coalesce(max(pg_relation_size(c.oid)), 0)
FROM pg_class c WHERE c.relnamespace = to_regnamespace(%s) AND c.relkind = 'r'
"""
_VALID = """
SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE c.relnamespace = to_regnamespace(%s) AND i.indisvalid
"""
_TABLES = "SELECT c.relname FROM pg_class c WHERE c.relnamespace = to_regnamespace(%s) AND c.relkind = 'r'"


class Index(NamedTuple):
    """One statement of `generation/indexes.sql`; `definition` is what follows the table."""

    name: str
    table: str
    definition: str


def wanted_indexes() -> list[Index]:
    """All indexes of a generation except those of its primary keys."""
    text = (files("projector") / "generation" / "indexes.sql").read_text()
    return [Index(*found) for found in _STATEMENT.findall(text)]


def create_indexes(database_url: str, connection: Connection, number: int) -> Iterator[int]:
    """Create the missing indexes of a generation; yields the number of missing ones before each.

    A rebuild creates indexes last, because writing rows into ten indexes takes twice as long. They are
    created CONCURRENTLY: a long transaction would delay the positions of all events that are committed while
    it runs (ADR 2). An interrupted one leaves an invalid index, which is created again. If no index takes
    longer than a batch, they are created without CONCURRENTLY, which reads the rows once instead of twice.
    Nothing else writes to a generation that is not live.

    The URL has the login that runs migrations, because it must own the tables.
    """
    missing = _missing(connection, number)
    if not missing:
        return
    row = connection.execute(_LARGEST, (f"rm_g{number}",)).fetchone()
    concurrently = row is None or row[0] >= BRIEF_BYTES
    with psycopg.connect(
        database_url,
        autocommit=True,
        options=f"-c maintenance_work_mem={_SORTING} -c synchronous_commit=off",
        application_name="regcred:indexes",
        connect_timeout=5,
    ) as owner:
        for done, index in enumerate(missing):
            yield len(missing) - done
            _create(owner, number, index, concurrently=concurrently)


def create_first_indexes(owner: Connection, number: int) -> None:
    """Create all indexes of a new generation, in the transaction of the owner that created it."""
    for index in _missing(owner, number):
        _create(owner, number, index, concurrently=False)


def _missing(connection: Connection, number: int) -> list[Index]:
    """The missing indexes of the existing tables. A generation of an older program may lack a table."""
    schema = f"rm_g{number}"
    valid = {name for (name,) in connection.execute(_VALID, (schema,)).fetchall()}
    tables = {name for (name,) in connection.execute(_TABLES, (schema,)).fetchall()}
    return [index for index in wanted_indexes() if index.name not in valid and index.table in tables]


def _create(owner: Connection, number: int, index: Index, *, concurrently: bool) -> None:
    schema = f"rm_g{number}"
    how = sql.SQL("CONCURRENTLY " if concurrently else "")
    name = sql.Identifier(schema, index.name)
    owner.execute(sql.SQL("DROP INDEX {}IF EXISTS {}").format(how, name))  # an invalid index of that name
    owner.execute(
        sql.SQL("CREATE INDEX {}{} ON {} {}").format(
            how,
            sql.Identifier(index.name),
            sql.Identifier(schema, index.table),
            sql.SQL(index.definition),
        )
    )
