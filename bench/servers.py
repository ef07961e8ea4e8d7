"""The servers that benchmarks run against: as their packages ship them, with every write flushed (fsync)."""

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from operations.embedded_postgres import EmbeddedPostgres

_numbers = itertools.count(1)


class Postgres:
    """One server, and the URL of a superuser of it."""

    def __init__(self, url: str) -> None:
        self.url = url

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """The URL of an empty database, after a checkpoint: nothing of an earlier run is left to write."""
        name = f"bench_{os.getpid()}_{next(_numbers)}"
        with psycopg.connect(self.url, autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name}")
            admin.execute("CHECKPOINT")
        try:
            yield make_conninfo(self.url, dbname=name)
        finally:
            with psycopg.connect(self.url, autocommit=True) as admin:
                admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def postgres() -> Iterator[Postgres]:
    """The server of the wheel, which `regcred up` starts too; REGCRED_TEST_DATABASE_URL names another one."""
    given = os.environ.get("REGCRED_TEST_DATABASE_URL")
    if given:
        yield Postgres(given)
        return
    folder = tempfile.mkdtemp(prefix="regcred-bench-")
    server = EmbeddedPostgres(Path(folder) / "data")
    try:
        yield Postgres(server.url)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
