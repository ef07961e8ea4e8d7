"""Applies migrations to a database: SQL files, in the order of their numbers, each once.

The files of a package are in its folder `schema/`, named `NNNN_owner_name.sql`. The numbers order the files
of all packages. They are applied in one transaction, so that an upgrade that fails or is interrupted changes
nothing. A run is safe to repeat and to run concurrently, because the second one waits for an advisory lock. A
file must not change after it was applied; its checksum is stored and compared.
"""

import hashlib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

import psycopg
import structlog

from chassis.database import (
    CHECK_SECONDS,
    Connection,
    DatabaseUnavailable,
    ServiceConnection,
    refuse_pooler,
    session,
)
from chassis.database_failure import failure_reason

log = structlog.get_logger()

_NAME = re.compile(r"(\d{4})_[a-z]+_[a-z_]+\.sql")
_LOCK = 7_203_001  # no other code locks this number
_LEDGER = """
CREATE TABLE IF NOT EXISTS public.regcred_migrations (
    name       text PRIMARY KEY,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
GRANT SELECT ON public.regcred_migrations TO PUBLIC;  -- each service checks that its schema is there
"""
_OTHER_PROGRAM = (
    "another version of regcred prepared this database: use that one. Nothing was changed. There is no"
    " upgrade from versions before 0.9.0 (docs/upgrading.md)"
)


class MigrationRefused(Exception):
    """A file cannot be applied to this database. No part of it was applied.

    `problem` is the sentence without the remedy.
    """

    remedy = ""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.problem = f"migration {name} {reason}"
        super().__init__(f"{self.problem}; {self.remedy}" if self.remedy else self.problem)


class MigrationChanged(MigrationRefused):
    """A file was changed after it was applied to this database."""

    remedy = _OTHER_PROGRAM

    def __init__(self, name: str) -> None:
        super().__init__(name, "was applied to this database with other contents")


class MigrationFailed(MigrationRefused):
    """The database refused a statement of a file, or the connection was lost."""

    def __init__(self, name: str, error: psycopg.Error) -> None:
        super().__init__(name, f"failed and was rolled back: {failure_reason(error)}")


class MigrationTooLate(MigrationRefused):
    """A file was not applied, but one with a higher number was. A new database would have another order."""

    remedy = _OTHER_PROGRAM

    def __init__(self, name: str, last: str) -> None:
        super().__init__(name, f"is new, but {last} was applied before it")


class NotMigrated(Exception):
    """A migration was not applied to this database."""

    def __init__(self, name: str) -> None:
        super().__init__(f"migration {name} was not applied; run `regcred migrate`")


@dataclass(frozen=True, slots=True)
class Migration:
    """One SQL file."""

    name: str
    text: bytes

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text).hexdigest()


def migrations(packages: Sequence[str]) -> list[Migration]:
    """The files of these packages, in the order of their numbers.

    Raises:
        ValueError: the name of a file has another form, or two files have the same number.
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
        psycopg.errors.UndefinedTable: no migration was applied to this database.
    """
    return dict(connection.execute("SELECT name, checksum FROM public.regcred_migrations").fetchall())


def require_applied(connection: Connection, names: Collection[str]) -> None:
    """Check that these files were applied. A newer release may have applied more.

    Raises:
        NotMigrated: one of them was not.
        psycopg.errors.UndefinedTable: as `applied_migrations`.
    """
    missing = set(names) - set(applied_migrations(connection))
    if missing:
        raise NotMigrated(min(missing))


def schema_check(database_url: str, packages: Sequence[str], *, role: str) -> Callable[[], None]:
    """A readiness check: log in, act as `role`, and find that the files of these packages were applied."""
    wanted = {migration.name for migration in migrations(packages)}
    return login_check(database_url, lambda connection: require_applied(connection, wanted), role=role)


def login_check(database_url: str, examine: Callable[[Connection], None], *, role: str) -> Callable[[], None]:
    """A readiness check: log in, act as `role`, and raise what `examine` raises.

    An error of the database becomes `DatabaseUnavailable` with its reason.
    """
    limits = session(role, part="ready", statement_timeout="2s")

    def check() -> None:
        try:
            with ServiceConnection.connect(database_url, **limits) as connection:
                connection.response_seconds = CHECK_SECONDS
                refuse_pooler(connection)
                examine(connection)
        except psycopg.Error as error:
            raise DatabaseUnavailable(failure_reason(error)) from error

    return check


def unapplied(wanted: Sequence[Migration], applied: Mapping[str, str]) -> list[Migration]:
    """The migrations that a database lacks. `applied` maps the names of those that it has to their checksums.

    Raises:
        MigrationChanged: an applied file was changed.
        MigrationTooLate: a new file has a lower number than an applied one.
    """
    last = max(applied, default="")
    lacking = []
    for migration in wanted:
        if migration.name not in applied:
            if migration.name < last:
                raise MigrationTooLate(migration.name, last)
            lacking.append(migration)
        elif applied[migration.name] != migration.checksum:
            raise MigrationChanged(migration.name)
    return lacking


def migrate(database_url: str, packages: Sequence[str]) -> list[str]:
    """Apply the files of these packages that were not applied yet, all or none of them. Returns their names.

    The login of the URL creates roles and schemas, so it must own the database or be a superuser.

    Raises:
        MigrationChanged: an applied file was changed.
        MigrationTooLate: a new file has a lower number than an applied one.
        ValueError: as `migrations`.
        MigrationFailed: the database refused a file. All were rolled back.
        psycopg.Error: the database cannot be reached, or the login may not use it.
    """
    wanted = migrations(packages)
    applied = []
    with psycopg.connect(database_url, autocommit=True, connect_timeout=5) as connection:
        refuse_pooler(connection)
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        try:
            connection.execute("SET client_min_messages = warning")
            connection.execute(_LEDGER)
            before = applied_migrations(connection)
            # A release runs beside the next one during an upgrade, so it does not refuse its database.
            if newer := set(before) - {migration.name for migration in wanted}:
                log.warning("database_of_newer_release", migration=max(newer))
            with connection.transaction():
                for migration in unapplied(wanted, before):
                    _apply(connection, migration)
                    applied.append(migration.name)
        finally:
            if not connection.closed:
                connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))
    return applied


def _apply(connection: Connection, migration: Migration) -> None:
    try:
        connection.execute(migration.text)
        connection.execute(
            "INSERT INTO public.regcred_migrations (name, checksum) VALUES (%s, %s)",
            (migration.name, migration.checksum),
        )
    except psycopg.Error as error:
        raise MigrationFailed(migration.name, error) from error
