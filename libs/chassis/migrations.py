"""Bring a database to the newest schema: plain SQL files, in the order of their numbers, each once.

A package has its files in its folder `schema/`, named `NNNN_owner_name.sql`; the numbers order the files of
all packages.
Safe to repeat and to run twice at once: an advisory lock lets the second run wait and find nothing to do.
A file that was applied must not change any more; its checksum is stored and compared.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import psycopg

from chassis.database import Connection

_NAME = re.compile(r"(\d{4})_[a-z]+_[a-z_]+\.sql")
_LOCK = 7_203_001  # any number that nothing else in this database locks
_LEDGER = """
CREATE TABLE IF NOT EXISTS public.regcred_migrations (
    name       text PRIMARY KEY,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""


class MigrationRefused(Exception):
    """A file cannot be applied to this database; nothing of it was."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"migration {name} {reason}")
        self.name = name


class MigrationChanged(MigrationRefused):
    """A migration that this database has already seen reads differently now."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "was applied to this database with other contents")


class MigrationTooLate(MigrationRefused):
    """A file is new, but a higher number was applied: a new database would have another order."""

    def __init__(self, name: str, last: str) -> None:
        super().__init__(name, f"is new, but {last} was applied before it")


@dataclass(frozen=True, slots=True)
class Migration:
    """One file."""

    name: str
    text: bytes

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text).hexdigest()


def migrations(packages: Sequence[str]) -> list[Migration]:
    """The files of these packages, in the order in which they are applied.

    Raises:
        ValueError: a file's name has another form, or two have the same number.
    """
    found = [
        Migration(file.name, file.read_bytes())
        for package in packages
        for file in (files(package) / "schema").iterdir()
        if file.name.endswith(".sql")
    ]
    found.sort(key=lambda migration: migration.name)
    numbers: dict[str, str] = {}
    for migration in found:
        named = _NAME.fullmatch(migration.name)
        if named is None:
            raise ValueError(f"{migration.name} is not named NNNN_owner_name.sql")
        other = numbers.setdefault(named[1], migration.name)
        if other != migration.name:
            raise ValueError(f"{other} and {migration.name} have the same number")
    return found


def applied_migrations(connection: Connection) -> dict[str, str]:
    """Names and checksums of the files that were applied to a database.

    Raises:
        psycopg.errors.UndefinedTable: it was never prepared.
    """
    return dict(connection.execute("SELECT name, checksum FROM public.regcred_migrations").fetchall())


def migrate(database_url: str, packages: Sequence[str]) -> list[str]:
    """Apply what is missing of these packages' files; the names of the files that were applied now.

    The URL's role must own the database (or be a superuser): it creates roles and schemas.

    Raises:
        MigrationChanged: an applied file was edited.
        MigrationTooLate: a new file has the number of an earlier time.
        ValueError: as `migrations`.
        psycopg.Error: the database refused; nothing of the file that failed is left.
    """
    wanted = migrations(packages)
    applied = []
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        try:
            connection.execute("SET client_min_messages = warning")
            connection.execute(_LEDGER)
            known = applied_migrations(connection)
            last = max(known, default="")
            for migration in wanted:
                if migration.name in known:
                    if known[migration.name] != migration.checksum:
                        raise MigrationChanged(migration.name)
                    continue
                if migration.name < last:
                    raise MigrationTooLate(migration.name, last)
                with connection.transaction():
                    connection.execute(migration.text)
                    connection.execute(
                        "INSERT INTO public.regcred_migrations (name, checksum) VALUES (%s, %s)",
                        (migration.name, migration.checksum),
                    )
                applied.append(migration.name)
        finally:
            connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))
    return applied
