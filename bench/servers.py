"""The servers of the benchmarks, with the configuration of their packages and with fsync."""

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

# Benchmarks measure what the system can do, not what an account may.
UNLIMITED = {
    "REGCRED_ACCOUNT_REQUESTS_PER_10_SECONDS": "0",
    "REGCRED_TOKEN_REQUESTS_PER_10_SECONDS": "0",
    "REGCRED_EVENTS_PER_DAY": "0",
    "REGCRED_VERIFICATIONS_PER_10_MINUTES": "0",
    "REGCRED_CREDENTIALS_PER_ACCOUNT": "0",
}

_numbers = itertools.count(1)


class Postgres:
    """A server, with the URL of a superuser."""

    def __init__(self, url: str) -> None:
        self.url = url

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """Yield the URL of an empty database. A checkpoint completes the writes of an earlier run."""
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
    """Run the server of the wheel, as `regcred up` does, or use that of REGCRED_TEST_DATABASE_URL."""
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
