"""`regcred credentials list`."""

import click

from regcred.cli.examples import examples
from regcred.cli.output import notice, print_json, print_table
from regcred.cli.presentation import CREDENTIAL_HEADERS, credential_row
from regcred.cli.session import CliSession, of_account
from regcred.cli.shell_completion import provider_ids

_STATUS = click.Choice(["pending", "verified", "failed", "unverifiable", "unreachable"])


@click.command(
    "list",
    epilog=examples(
        "regcred credentials list --status failed", "regcred credentials list --project shop --json"
    ),
)
@click.option("--provider", metavar="ID", shell_complete=provider_ids, help="Only of this provider.")
@click.option("--status", type=_STATUS, help="Only with this status.")
@click.option("--project", metavar="ID", help="Only those that this project may use.")
@click.option("--registry", metavar="HOST", help="Only of this registry.")
@click.option("--name", metavar="TEXT", help="Part of the name, in any case.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Maximum number; default: all.")
@of_account
def list_credentials(
    session: CliSession,
    /,
    *,
    provider: str | None,
    status: str | None,
    project: str | None,
    registry: str | None,
    name: str | None,
    limit: int | None,
) -> None:
    """List the account's credentials."""
    wanted = {
        "provider": provider,
        "status": status,
        "project": project,
        "registry_host": registry,
        "name": name,
    }
    found = session.api.listing(session.path("credentials"), wanted, limit=limit)
    if session.as_json:
        print_json(found)
    elif found["items"]:
        print_table(CREDENTIAL_HEADERS, map(credential_row, found["items"]))
        if found["next_cursor"]:
            notice(f"there are more than {limit} credentials")
    else:
        filtered = any(value is not None for value in wanted.values())
        notice(f"account {session.account} has no {'such ' if filtered else ''}credentials")
