"""The indexes of a generation, made after its rows."""

from collections.abc import Iterator

import psycopg

from projector.generations import Connection

# An index of a table of this size takes about as long as a batch of a rebuild: a fifth of a second.
BRIEF_BYTES = 64 * 1024 * 1024

_SORTING = "256MB"  # a million keys are sorted in memory
_LARGEST = """
SELECT coalesce(max(pg_relation_size(c.oid)), 0)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'rm_g' || %s AND c.relkind = 'r'
"""


def make_indexes(database_url: str, connection: Connection, number: int) -> Iterator[int]:
    """Make what a generation is read by and lacks yet; gives before each how many are left.

    Rows that come one by one into ten indexes take twice the time, so a rebuild leaves them for the end. They
    are made CONCURRENTLY: a transaction that writes for long would hold back the positions of all that commit
    meanwhile (ADR 2). One that was interrupted stays behind invalid, and is made again. Where none takes
    longer than a batch, they are made as usual, which reads the rows once instead of twice: nobody else
    writes to a generation that is not live.

    The URL's login must own the tables: it is the one that migrates.
    """
    statements = connection.execute("SELECT rm.missing_indexes(%s)", (number,)).fetchall()
    if not statements:
        return
    row = connection.execute(_LARGEST, (number,)).fetchone()
    brief = row is not None and row[0] < BRIEF_BYTES
    with psycopg.connect(
        database_url,
        autocommit=True,
        options=f"-c maintenance_work_mem={_SORTING} -c synchronous_commit=off",
        application_name="regcred:indexes",
        connect_timeout=5,
    ) as owner:
        for done, (statement,) in enumerate(statements):
            yield len(statements) - done
            owner.execute((statement.replace(" CONCURRENTLY", "") if brief else statement).encode())
