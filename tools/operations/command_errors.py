"""What operator commands have in common: errors become a sentence and an exit code, and who runs them."""

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import psycopg

from chassis.observability.logs import configure_logs
from chassis.settings.environment import InvalidSetting, Settings
from operations.log.database import NoDatabase, log_database

_NOT_PREPARED = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.InvalidSchemaName,
)


class OperationRefused(click.ClickException):
    """The command ends with this sentence and exit code 1."""


class CheckInconclusive(OperationRefused):
    """A check found neither whole nor broken: it could not look."""

    exit_code = 2


@contextmanager
def refused(*errors: type[Exception], refusal: type[OperationRefused] = OperationRefused) -> Iterator[None]:
    """Raises `refusal` with the message of any of `errors`."""
    try:
        yield
    except errors as error:
        raise refusal(str(error)) from None


@contextmanager
def database_errors(
    *errors: type[Exception], refusal: type[OperationRefused] = OperationRefused, needed: str = "no log"
) -> Iterator[None]:
    """As `refused`, also for settings and a database that is not there, not prepared or does not answer."""
    try:
        with refused(InvalidSetting, NoDatabase, *errors, refusal=refusal):
            yield
    except _NOT_PREPARED:
        raise refusal(f"this database has {needed}; `regcred migrate` prepares it") from None
    except psycopg.Error as error:
        raise refusal(f"the database does not answer: {error}") from None


@contextmanager
def owner_connection(
    command: str, *errors: type[Exception]
) -> Iterator[tuple[psycopg.Connection[Any], Settings]]:
    """The database as its owner; `errors` are refusals of the command's work."""
    configure_logs(command)
    with database_errors(*errors):
        settings = Settings.from_environment(os.environ)
        with (
            log_database(settings) as url,
            psycopg.connect(url, autocommit=True, connect_timeout=5, application_name=command) as connection,
        ):
            yield connection, settings


def person() -> str:
    """Who runs the command, for the record: the login."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as containers have
        return f"uid {os.getuid()}"
