"""Shared by operator commands: errors become a message and an exit code; the name of the operator."""

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
    """Ends the command with this message and exit code 1."""


class CheckInconclusive(OperationRefused):
    """A check could not run, so its result is neither intact nor broken."""

    exit_code = 2


@contextmanager
def refused(*errors: type[Exception], refusal: type[OperationRefused] = OperationRefused) -> Iterator[None]:
    """Raise `refusal` with the message of any of `errors`."""
    try:
        yield
    except errors as error:
        raise refusal(str(error)) from None


@contextmanager
def database_errors(
    *errors: type[Exception], refusal: type[OperationRefused] = OperationRefused, needed: str = "no log"
) -> Iterator[None]:
    """Like `refused`, also for invalid settings and a database that is missing, unprepared or unavailable."""
    try:
        with refused(InvalidSetting, NoDatabase, *errors, refusal=refusal):
            yield
    except _NOT_PREPARED:
        raise refusal(f"this database has {needed}; prepare it with `regcred migrate`") from None
    except psycopg.Error as error:
        raise refusal(f"the database is unavailable: {error}") from None


@contextmanager
def owner_connection(
    command: str, *errors: type[Exception]
) -> Iterator[tuple[psycopg.Connection[Any], Settings]]:
    """Connect to the database as its owner. `errors` are those that refuse the work of the command."""
    configure_logs(command)
    with database_errors(*errors):
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
