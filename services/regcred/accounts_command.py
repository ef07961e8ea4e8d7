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
    from shared.runtime.database import Connection


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as containers have
        return f"uid {os.getuid()}"


@click.group(epilog=examples('regcred accounts erase acme --reason "left us in May" --yes'))
def accounts() -> None:
    """Erase what is personal in the events of an account."""


@accounts.command("erase")
@click.argument("account")
@click.option("--reason", help="Why; it is kept.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--wait", type=click.FloatRange(min=0), default=30.0, help="Seconds to wait for read models.")
@click.option("--as", "person", default=_who, help="Who does it, for the record. [default: your login]")
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
def erase_command(
    *, account: str, reason: str | None, yes: bool, wait: float, person: str, as_json: bool
) -> None:
    """Erase an account's personal data for good.

    Names, addresses, user names and descriptions in its events read `erased` from then on, whoever reads
    them. The events stay, and the log is as whole as before. The account must have no credentials any more.
    Exit code 3: erased, but what readers see has not forgotten yet.
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
