"""`regcred credentials show`."""

import click

from regcred.cli.lookup import find
from regcred.cli.outcome import show
from regcred.cli.output import print_json
from regcred.cli.session import CliSession, of_account
from regcred.cli.shell_completion import credential_names


@click.command("show")
@click.argument("credential", metavar="ID_OR_NAME", shell_complete=credential_names)
@of_account
def show_credential(session: CliSession, /, *, credential: str) -> None:
    """Show a credential with its last verification.

    The secret is never shown.
    """
    found = find(session, credential).body
    if session.as_json:
        print_json(found)
    else:
        show(session, found)
