"""`regcred credentials remove`."""

from typing import Any

import click

from regcred.apiclient.text import shown
from regcred.cli.confirmation import YES, check_confirmable, confirm
from regcred.cli.examples import examples
from regcred.cli.force import Force, force_options
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
@force_options("remove")
@of_account
def remove(session: CliSession, /, *, credential: str, yes: bool, **given: Any) -> None:
    """Remove a credential permanently.

    Its secret is destroyed. Its history stays available by its id. This is refused while workloads use it.
    """
    force = Force.taken_from(given)
    if force.dry_run:
        found = find(session, credential)
        show_impact(session, found.body["name"], removal_impact(session, found))
        return
    check_confirmable(yes=yes)
    found = find(session, credential)
    name, credential_id = found.body["name"], found.body["id"]
    what = f"{shown(name)} ({shown(found.body['username'])} at {shown(found.body['registry_host'])})"
    confirm(f"Remove {what} permanently, and destroy its secret?", yes=yes)
    command = session.api.change(
        "DELETE",
        session.path("credentials", credential_id),
        found.etag,
        parameters=force.parameters,
    )
    await_read_models(session, command)
    if session.as_json:
        print_json({"id": credential_id, "name": name, "removed": True})
    else:
        notice(f"{name} is removed")
