"""`regcred credentials`."""

import click

from regcred.cli.commands.add import add
from regcred.cli.commands.credential_list import list_credentials
from regcred.cli.commands.edit import edit
from regcred.cli.commands.freeze import freeze, thaw
from regcred.cli.commands.history import history
from regcred.cli.commands.remove import remove
from regcred.cli.commands.restrict import restrict
from regcred.cli.commands.rollback import rollback
from regcred.cli.commands.rotate import rotate
from regcred.cli.commands.show import show_credential
from regcred.cli.commands.summary import summary
from regcred.cli.commands.try_login import try_login
from regcred.cli.commands.usages import usages
from regcred.cli.commands.verify import verify


class InOrder(click.Group):
    """Lists its commands in the order of a credential's life, not alphabetically."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 click calls it so
        return list(self.commands)


@click.group("credentials", cls=InOrder)
def credentials() -> None:
    """Add, show, change and remove credentials.

    Give a credential by its name or id. Exit codes: 0 done, 1 regcred refused it or did not respond, 2 wrong
    usage, 3 the registry refused the credential or did not respond, 4 no result within --wait.
    """


for command in (
    try_login,
    add,
    list_credentials,
    summary,
    show_credential,
    edit,
    rotate,
    rollback,
    restrict,
    freeze,
    thaw,
    verify,
    remove,
    usages,
    history,
):
    credentials.add_command(command)
