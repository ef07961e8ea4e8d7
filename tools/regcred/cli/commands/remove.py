"""`regcred credentials remove`."""

import click

from regcred.apiclient.text import shown
from regcred.cli.confirmation import YES, check_confirmable, confirm
from regcred.cli.examples import examples
from regcred.cli.lookup import await_read_models, find
from regcred.cli.output import notice, print_json
from regcred.cli.session import CliSession, of_account
from regcred.cli.shell_completion import credential_names
from regcred.cli.usage import removal_impact, show_impact


@click.command(
    "remove",
    epilog=examples(
        "regcred credentials remove team-ghcr",
        "regcred credentials remove team-ghcr --dry-run",
        "regcred credentials remove team-ghcr --yes --force --reason 'token leaked'",
    ),
)
@click.argument("credential", metavar="ID_OR_NAME", shell_complete=credential_names)
@YES
@click.option("--reason", metavar="TEXT", help="For the audit trail.")
@click.option("--force", is_flag=True, help="Remove it although it is in use; needs --reason.")
@click.option("--dry-run", is_flag=True, help="Show which workloads would lose it, without removing it.")
@of_account
def remove(
    session: CliSession, /, *, credential: str, yes: bool, reason: str | None, force: bool, dry_run: bool
) -> None:
    """Remove a credential permanently.

    Its secret is destroyed. Its history stays available by its id. This is refused while workloads use it.
    """
    if dry_run:
        found = find(session, credential)
        show_impact(session, found.body["name"], removal_impact(session, found))
        return
    if force and not reason:
        raise click.UsageError("--force needs --reason, which is recorded in the audit trail")
    check_confirmable(yes=yes)
    found = find(session, credential)
    name, credential_id = found.body["name"], found.body["id"]
    what = f"{shown(name)} ({shown(found.body['username'])} at {shown(found.body['registry_host'])})"
    confirm(f"Remove {what} permanently, and destroy its secret?", yes=yes)
    command = session.api.change(
        "DELETE",
        session.path("credentials", credential_id),
        found.etag,
        parameters={"reason": reason, "force": "true" if force else None},
    )
    await_read_models(session, command)
    if session.as_json:
        print_json({"id": credential_id, "name": name, "removed": True})
    else:
        notice(f"{name} is removed")
