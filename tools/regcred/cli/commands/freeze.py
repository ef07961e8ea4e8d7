"""`regcred credentials freeze` and `thaw`."""

import click

from regcred.cli.dry_run import DRY_RUN, show_would_be
from regcred.cli.examples import examples
from regcred.cli.lookup import find, read_back
from regcred.cli.output import notice, print_json
from regcred.cli.presentation import credential_fields
from regcred.cli.session import CliSession, of_account
from regcred.cli.shell_completion import credential_names
from regcred.cli.usage import show_impact


@click.command(
    "freeze",
    epilog=examples(
        "regcred credentials freeze team-ghcr --reason 'the token is in a public log'",
        "regcred credentials freeze team-ghcr team-hub --reason 'incident 17'",
        "regcred credentials freeze team-ghcr --reason 'incident 17' --dry-run",
    ),
)
@click.argument(
    "credentials", metavar="ID_OR_NAME...", nargs=-1, required=True, shell_complete=credential_names
)
@click.option("--reason", metavar="TEXT", required=True, help="For the audit trail.")
@click.option("--dry-run", is_flag=True, help="Show which workloads would lose it.")
@of_account
def freeze(session: CliSession, /, *, credentials: tuple[str, ...], reason: str, dry_run: bool) -> None:
    """Issue the secret of a credential to nobody from now on, until it is thawed.

    Secrets that were issued before stay valid at the registry: rotate it there, and here.
    """
    frozen = []
    for found in [find(session, credential) for credential in credentials]:
        path = session.path("credentials", found.body["id"], "freeze")
        parameters = {"dry_run": "true" if dry_run else None}
        command = session.api.change("POST", path, None, {"reason": reason}, parameters)
        if dry_run:
            show_impact(session, found.body["name"], command)
            continue
        frozen.append(read_back(session, command))
        if not session.as_json:
            notice(f"{found.body['name']} is frozen: its secret is issued to nobody")
    if session.as_json and frozen:
        print_json({"items": frozen})


@click.command("thaw", epilog=examples("regcred credentials thaw team-ghcr --reason 'it was rotated'"))
@click.argument("credential", metavar="ID_OR_NAME", shell_complete=credential_names)
@click.option("--reason", metavar="TEXT", help="For the audit trail.")
@DRY_RUN
@of_account
def thaw(session: CliSession, /, *, credential: str, reason: str | None, dry_run: bool) -> None:
    """Issue the secret of a frozen credential again."""
    found = find(session, credential)
    path = session.path("credentials", found.body["id"], "thaw")
    parameters = {"dry_run": "true" if dry_run else None}
    command = session.api.change("POST", path, found.etag, {"reason": reason}, parameters)
    if dry_run:
        what = f"the secret of {found.body['name']} would be issued again"
        show_would_be(session, command.body, credential_fields(command.body), what)
        return
    after = read_back(session, command)
    if session.as_json:
        print_json(after)
    else:
        notice(f"{after['name']} is thawed: its secret is issued again")
