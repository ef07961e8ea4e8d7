"""`regcred accounts`: what operators do to an account as a whole.

What does the work is imported by the commands, so that the client starts without it.
"""

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from regcred.client.examples import examples
from regcred.client.output import print_json

if TYPE_CHECKING:
    from regcred.erasing import Connection


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as containers have
        return f"uid {os.getuid()}"


@click.group(epilog=examples('regcred accounts erase acme --reason "left us in May" --yes'))
def accounts() -> None:
    """Erase the personal data in the events of an account."""


@accounts.command("erase")
@click.argument("account")
@click.option("--reason", help="The reason, which is recorded.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--wait", type=click.FloatRange(min=0), default=30.0, help="Seconds to wait for read models.")
@click.option("--as", "person", default=_who, help="Your name, for the record. [default: your login]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def erase_command(
    *, account: str, reason: str | None, yes: bool, wait: float, person: str, as_json: bool
) -> None:
    """Erase the personal data of an account permanently.

    Names, addresses, usernames and descriptions in its events then read `erased`. The events stay, and the
    log still verifies. The account must not have credentials any more. Exit code 3: erased, but the read
    models still contain the data.
    """
    from regcred import erasing  # noqa: PLC0415 see above
    from shared.runtime.clock import now  # noqa: PLC0415
    from shared.runtime.ids import new_id  # noqa: PLC0415

    if not yes:
        click.confirm(f"Erase the personal data of {account}? Nobody can undo that.", abort=True)
    erasure = erasing.Erasure(
        erasure_id=new_id(), event_id=new_id(), account_id=account, person=person, reason=reason, at=now()
    )
    with _owner() as connection:
        try:
            erasing.erase(connection, erasure)
        except (erasing.StillHasCredentials, erasing.NothingToErase) as error:
            raise click.ClickException(str(error)) from None
        forgotten = erasing.wait_until_forgotten(connection, erasure, wait)
    if as_json:
        print_json({"account": account, "erasure_id": str(erasure.erasure_id), "forgotten": forgotten})
    else:
        click.echo(f"the key of {account} is destroyed")
        click.echo(
            "the read models have forgotten"
            if forgotten
            else "the read models forget when relay and projector come to it"
        )
    if not forgotten:
        raise SystemExit(3)


@contextmanager
def _owner() -> "Iterator[Connection]":
    """The database as its owner; what is refused, or in the way, becomes a sentence and exit code 1."""
    import psycopg  # noqa: PLC0415 see above

    from regcred.log_database import NoDatabase, log_database  # noqa: PLC0415
    from shared.runtime.logs import configure_logs  # noqa: PLC0415
    from shared.runtime.settings import InvalidSetting, Settings  # noqa: PLC0415

    configure_logs("accounts")
    try:
        with (
            log_database(Settings.from_environment(os.environ)) as url,
            psycopg.connect(url, autocommit=True, connect_timeout=5, application_name="accounts") as made,
        ):
            yield made
    except (InvalidSetting, NoDatabase) as error:
        raise click.ClickException(str(error)) from None
    except (
        psycopg.errors.UndefinedTable,
        psycopg.errors.UndefinedFunction,
        psycopg.errors.InvalidSchemaName,
    ):
        raise click.ClickException("this database has no log; `regcred migrate` prepares it") from None
    except psycopg.Error as error:
        raise click.ClickException(f"the database does not answer: {error}") from None
