"""Bring a database to the newest schema: plain SQL files, in the order of their names, each once.

Safe to repeat and to run by two at once: an advisory lock lets the second wait and find nothing to do.
A file that was applied must not change any more; its checksum is kept and compared.
"""

import hashlib
from importlib.resources import files

import psycopg

_LOCK = 7_203_001  # any number that nothing else in this database locks
_LEDGER = """
CREATE TABLE IF NOT EXISTS public.regcred_migrations (
    name       text PRIMARY KEY,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""


class MigrationChanged(Exception):
    """A migration that this database has already seen reads differently now."""

    def __init__(self, name: str) -> None:
        super().__init__(f"migration {name} was applied to this database with other contents")
        self.name = name


def migrate(database_url: str) -> list[str]:
    """Apply what is missing; the names of the files that were applied now.

    The URL's role must own the database (or be a superuser): it creates roles and schemas.

    Raises:
        MigrationChanged: an applied file was edited.
        psycopg.Error: the database refused; nothing of the file that failed is left.
    """
    applied = []
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        try:
            connection.execute("SET client_min_messages = warning")
            connection.execute(_LEDGER)
            known: dict[str, str] = dict(
                connection.execute("SELECT name, checksum FROM public.regcred_migrations").fetchall()
            )
            folder = files("shared.eventstore") / "migrations"
            for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
                if not file.name.endswith(".sql"):
                    continue
                text = file.read_bytes()
                checksum = hashlib.sha256(text).hexdigest()
                if file.name in known:
                    if known[file.name] != checksum:
                        raise MigrationChanged(file.name)
                    continue
                with connection.transaction():
                    connection.execute(text)
                    connection.execute(
                        "INSERT INTO public.regcred_migrations (name, checksum) VALUES (%s, %s)",
                        (file.name, checksum),
                    )
                applied.append(file.name)
        finally:
            connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))
    return applied
