"""Shared by operator commands: errors become a message and an exit code; the name of the operator."""

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import psycopg

from chassis.database_failure import failure_reason
from chassis.migrations import MigrationRefused
from chassis.observability.logs import configure_logs
from chassis.runtime.cannot_start import CannotStart
from chassis.runtime.core_dumps import disable_core_dumps
from chassis.runtime.unavailable import Unavailable
from chassis.settings.environment import Settings
from eventlog.broker import BrokerUnavailable
from eventlog.storage import LowerTransactionIds
from operations.embedded_postgres import EmbeddedPostgresFailed
from operations.log.database import NoDatabase, log_database

_NOT_PREPARED = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.InvalidSchemaName,
)
_OBSTACLES = (
    CannotStart,
    NoDatabase,
    EmbeddedPostgresFailed,
    MigrationRefused,
    BrokerUnavailable,
)
# The first two characters of the SQLSTATE of a database that cannot be used: connection, login, name,
# resources, shutdown. Others are those of statements.
_UNAVAILABLE = ("08", "28", "3D", "53", "57")
_NOT_ADOPTED = "ES431"  # SQLSTATE of es.append


class OperationRefused(click.ClickException):
    """Ends the command with this message and exit code 1."""


class CheckInconclusive(OperationRefused):
    """A check could not run, so its result is neither intact nor broken."""

    exit_code = 2


@contextmanager
def refused(
    *errors: type[Exception], refusal: type[OperationRefused] = OperationRefused, needed: str = "no log"
) -> Iterator[None]:
    """Raise `refusal` for the errors that every operator command can meet, and for any of `errors`.

    These are invalid settings, files and key files that cannot be used, a broker that is unavailable, and a
    database that is missing, unprepared or unavailable. An unprepared database has `needed`.
    """
    caught: tuple[type[Exception], ...] = (*_OBSTACLES, *errors)
    try:
        yield
    except caught as error:
        raise refusal(str(error)) from None
    except _NOT_PREPARED:
        raise refusal(f"this database has {needed}; prepare it with `regcred migrate`") from None
    except psycopg.Error as error:
        raise refusal(_database_sentence(error)) from None
    except Unavailable as error:
        raise refusal(_unavailable_sentence(error)) from None
    except BrokenPipeError:
        raise  # click ends the command quietly if the reader of its output stopped
    except OSError as error:
        raise refusal(_file_sentence(error)) from None


def _database_sentence(error: psycopg.Error) -> str:
    if error.sqlstate == _NOT_ADOPTED:
        return str(LowerTransactionIds())
    reason = failure_reason(error)
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return f"the login of the database lacks a right: {reason}"
    if error.sqlstate is not None and not error.sqlstate.startswith(_UNAVAILABLE):
        return f"the database refused a statement: {reason}"
    return f"the database is unavailable: {reason}"


def _unavailable_sentence(error: Unavailable) -> str:
    cause = error.__cause__
    return _database_sentence(cause) if isinstance(cause, psycopg.Error) else str(error)


def _file_sentence(error: OSError) -> str:
    if error.filename is None:
        return str(error)
    return f"{error.filename} cannot be read or written: {error.strerror}"


@contextmanager
def owner_connection(
    command: str, *errors: type[Exception]
) -> Iterator[tuple[psycopg.Connection[Any], Settings]]:
    """Connect to the database as its owner. `errors` are those that refuse the work of the command."""
    disable_core_dumps()
    configure_logs(command)
    with refused(*errors):
        settings = Settings.from_environment(os.environ)
        with (
            log_database(settings) as url,
            psycopg.connect(url, autocommit=True, connect_timeout=5, application_name=command) as connection,
        ):
            yield connection, settings


def person() -> str:
    """The login of the operator, for the record."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, for example in a container
        return f"uid {os.getuid()}"
