"""`regcred accounts`: commands for an account as a whole."""

import click

from chassis.ids import new_id
from chassis.runtime.clock import now
from credentials.account_erasure import Erasure, NothingToErase, StillHasCredentials
from operations.accounts.erasure import erase, wait_until_erased
from operations.command_errors import owner_connection, person
from regcred.cli.confirmation import YES, confirm
from regcred.cli.examples import examples
from regcred.cli.output import print_json


@click.group(epilog=examples('regcred accounts erase acme --reason "left us in May" --yes'))
def accounts() -> None:
    """Erase the personal data in the events of an account."""


@accounts.command("erase")
@click.argument("account")
@click.option("--reason", help="The reason, which is recorded.")
@YES
@click.option("--wait", type=click.FloatRange(min=0), default=30.0, help="Seconds to wait for read models.")
@click.option("--as", "person", default=person, help="Your name, for the record. [default: your login]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def erase_command(
    *, account: str, reason: str | None, yes: bool, wait: float, person: str, as_json: bool
) -> None:
    """Erase the personal data of an account permanently.

    Names, addresses, usernames and descriptions in its events then read `erased`. The events stay, and the
    log still verifies. The account must not have credentials any more. Exit code 3: erased, but the read
    models still contain the data.
    """
    confirm(f"Erase the personal data of {account} permanently?", yes=yes)
    erasure = Erasure(
        erasure_id=new_id(), event_id=new_id(), account_id=account, person=person, reason=reason, at=now()
    )
    with owner_connection("accounts", StillHasCredentials, NothingToErase) as (connection, _):
        erase(connection, erasure)
        erased = wait_until_erased(connection, erasure, wait)
    if as_json:
        print_json({"account": account, "erasure_id": str(erasure.erasure_id), "forgotten": erased})
    else:
        click.echo(f"the key of {account} is destroyed")
        click.echo(
            "the read models no longer contain its personal data"
            if erased
            else "the read models still contain its personal data, until the projector handles the erasure"
        )
    if not erased:
        raise SystemExit(3)
