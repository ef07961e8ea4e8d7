"""`regcred credentials rollback`."""

from typing import Any

import click

from regcred.cli.examples import examples
from regcred.cli.force import Force, force_options, show_dry_run
from regcred.cli.lookup import find
from regcred.cli.outcome import settle, wait_option
from regcred.cli.session import CliSession, of_account
from regcred.cli.shell_completion import credential_names


@click.command(
    "rollback",
    epilog=examples(
        "regcred credentials rollback team-ghcr",
        "regcred credentials rollback team-ghcr --dry-run",
    ),
)
@click.argument("credential", metavar="ID_OR_NAME", shell_complete=credential_names)
@force_options("roll back")
@wait_option(600)
@of_account
def rollback(session: CliSession, /, *, credential: str, wait: int, **given: Any) -> None:
    """Restore the secret that the last rotation replaced, and verify it with a login.

    This works during the grace of that rotation (15 minutes unless the caller chose another time). Username,
    registry and expiry are restored too. A second rollback restores the secret that the first one replaced.
    """
    force = Force.taken_from(given)
    found = find(session, credential)
    if force.dry_run:
        show_dry_run(session, found, "POST", "/secret/rollback", {})
        return
    path = session.path("credentials", found.body["id"], "secret", "rollback")
    changed = session.api.change("POST", path, found.etag, {}, force.parameters)
    settle(session, changed, "rolled back", wait=wait)
