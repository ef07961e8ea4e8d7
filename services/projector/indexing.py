"""The indexes of a generation, made after its rows."""

from collections.abc import Iterator

import psycopg

from projector.generations import Connection

_SORTING = "256MB"  # a million keys are sorted in memory


def make_indexes(database_url: str, connection: Connection, number: int) -> Iterator[int]:
    """Make what a generation is read by and lacks yet; gives before each how many are left.

    Rows that come one by one into ten indexes take twice the time, so a rebuild leaves them for the end. They
    are made CONCURRENTLY: a transaction that writes for long would hold back the positions of all that commit
    meanwhile (ADR 2). One that was interrupted stays behind invalid, and is made again.

    The URL's login must own the tables: it is the one that migrates.
    """
    statements = connection.execute("SELECT rm.missing_indexes(%s)", (number,)).fetchall()
    if not statements:
        return
    with psycopg.connect(
        database_url,
        autocommit=True,
        options=f"-c maintenance_work_mem={_SORTING} -c synchronous_commit=off",
        application_name="regcred:indexes",
        connect_timeout=5,
    ) as owner:
        for done, (statement,) in enumerate(statements):
            yield len(statements) - done
            owner.execute(statement.encode())
