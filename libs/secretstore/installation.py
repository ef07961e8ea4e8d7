"""What binds database, key file and Vault to one installation.

The database has the id of the installation and a check value of each key in the key file
(`schema/0040_secretstore_secrets.sql`). Vault has the id (`vault`). With another key file, or with the Vault
of another installation, a service refuses to work: it would encrypt with keys that nothing else has, and its
housekeeping would delete secrets that its database does not know.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from uuid import UUID

import psycopg
import structlog

from chassis.database import Connection, ServiceConnection, is_unavailable, refuse_pooler, session
from chassis.database_failure import failure_reason
from chassis.runtime.failures import Failures
from chassis.settings.invalid_setting import InvalidSetting
from secretstore.keyfile import KeyFile, KeyFileError

log = structlog.get_logger()

LONGEST_BACKOFF_SECONDS = 5.0  # between two attempts to reach the database
_CHECKS = "SELECT name, value FROM installation.key_checks"
_RECORD = "SELECT installation.record_keys(%s, %s)"
_NOT_PREPARED = (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName)


class WrongKeyFile(KeyFileError):
    """The key file is not the one with which the data in the database was encrypted."""


def installation_id(connection: Connection) -> UUID:
    """Return the id of the installation to which this database belongs."""
    row = connection.execute("SELECT installation_id FROM installation.identity").fetchone()
    if row is None:
        raise LookupError("installation.identity has no row")
    found: UUID = row[0]
    return found


def has_vault(connection: Connection) -> bool:
    """Whether a Vault was bound to this database. Its secrets are then in no other one."""
    row = connection.execute("SELECT vault_bound_at IS NOT NULL FROM installation.identity").fetchone()
    return bool(row and row[0])


def record_vault(connection: Connection) -> None:
    """Record that a Vault has the id of this database."""
    connection.execute("SELECT installation.record_vault()")


def is_copy(connection: Connection) -> bool:
    """Whether this database is a copy, by dump and restore or as a template, of that of the installation."""
    row = connection.execute("SELECT installation.is_copy()").fetchone()
    return bool(row and row[0])


def adopt_database(connection: Connection) -> None:
    """Let this database replace the one that it is a copy of. Only the owner of the database may do this."""
    connection.execute("SELECT installation.adopt_database()")


def adopt_installation_id(found: UUID, connection: Connection) -> None:
    """Give this database the id that a Vault has, or an id to write to an empty Vault.

    Only the owner of the database may do this.
    """
    connection.execute(
        "UPDATE installation.identity SET installation_id = %s, vault_bound_at = NULL", (found,)
    )


def has_recorded_keys(connection: Connection) -> bool:
    """Whether the database was ever used with a key file."""
    return bool(_recorded(connection))


def compare_keys(keys: KeyFile, connection: Connection) -> None:
    """Compare the keys with the check values in the database. A database without any accepts every key file.

    Raises:
        WrongKeyFile: a key is another one than when it was recorded, or is missing.
    """
    _compare(_recorded(connection), keys.check_values())


def record_keys(keys: KeyFile, connection: Connection) -> None:
    """Compare the keys, and record the check values of keys that are new.

    Raises:
        WrongKeyFile: as `compare_keys`.
    """
    recorded, present = _recorded(connection), keys.check_values()
    _compare(recorded, present)
    if present.keys() - recorded.keys():
        connection.execute(_RECORD, [list(present), list(present.values())])
        _compare(_recorded(connection), present)  # another process may have recorded another file meanwhile


def replace_recorded_keys(keys: KeyFile, connection: Connection) -> None:
    """Record the keys in place of those that were recorded. Only the owner of the database may do this."""
    present = keys.check_values()
    with connection.transaction():
        connection.execute("DELETE FROM installation.key_checks")
        connection.execute(_RECORD, [list(present), list(present.values())])


def open_key_file_of(database_url: str, path: Path) -> KeyFile:
    """Read the key file, and compare it with the database as the login of the URL.

    Raises:
        KeyFileError: the file cannot be used, or is another one (`WrongKeyFile`).
        psycopg.Error: the database cannot be reached, or has no schema.
    """
    keys = KeyFile.load(path)
    with psycopg.connect(database_url, autocommit=True, connect_timeout=5) as connection:
        refuse_pooler(connection)
        compare_keys(keys, connection)
    return keys


def await_key_file(database_url: str, path: Path, *, role: str, stop: Event) -> KeyFile | None:
    """Return the key file as soon as it can be compared with the database; `None` after `stop`.

    Raises:
        InvalidSetting: the URL of the database cannot be read.
        KeyFileError: as `open_key_file_of`.
    """
    keys = KeyFile.load(path)
    failures = Failures("waiting_for_database", longest=LONGEST_BACKOFF_SECONDS)
    while not stop.is_set():
        try:
            with (
                _readable_url(),
                ServiceConnection.connect(
                    database_url, **session(role, part="keys", writes=False)
                ) as connection,
            ):
                refuse_pooler(connection)
                compare_keys(keys, connection)
                return keys
        except psycopg.Error as error:
            if not is_unavailable(error) and not isinstance(error, _NOT_PREPARED):
                raise
            stop.wait(failures.add(error, failure_reason(error)))
    return None


def refuse_wrong_keys(database_url: str, *, role: str, compare: Callable[[Connection], None]) -> None:
    """Compare at the start of a service that serves requests, if the database can be reached.

    Otherwise the pool compares: each new connection is examined.

    Raises:
        InvalidSetting: the URL of the database cannot be read.
        WrongKeyFile: as `compare_keys`.
    """
    options = f"-c role={role}"
    try:
        with (
            _readable_url(),
            psycopg.connect(database_url, autocommit=True, options=options, connect_timeout=2) as connection,
        ):
            refuse_pooler(connection)
            compare(connection)
    except psycopg.Error as error:
        if not is_unavailable(error) and not isinstance(error, _NOT_PREPARED):
            raise
        log.warning("keys_not_compared_yet", reason=failure_reason(error))


@contextmanager
def _readable_url() -> Iterator[None]:
    try:
        yield
    except psycopg.ProgrammingError as error:
        if error.sqlstate is not None:
            raise
        raise InvalidSetting(
            "REGCRED_DATABASE_URL", "must be a URL such as postgresql://user@host/name"
        ) from None


def _recorded(connection: Connection) -> dict[str, str]:
    return dict(connection.execute(_CHECKS).fetchall())


def _compare(recorded: Mapping[str, str], present: Mapping[str, str]) -> None:
    missing = sorted(recorded.keys() - present.keys())
    other = sorted(name for name, value in recorded.items() if present.get(name, value) != value)
    if not missing and not other:
        return
    if other:
        fault = f"the key file is of another installation than the database (different: {', '.join(other)})"
    else:
        fault = f"the key file is older than the database: it lacks {', '.join(missing)}"
    raise WrongKeyFile(
        f"{fault}. Restore the key file from its backup. If the former one is lost for good, read"
        " `regcred installation adopt --help`"
    )
