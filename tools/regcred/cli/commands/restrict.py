"""`regcred credentials restrict`."""

from typing import Any

import click

from regcred.apiclient.text import shown
from regcred.cli.examples import examples
from regcred.cli.force import Force, force_options, show_dry_run
from regcred.cli.lookup import find, read_back
from regcred.cli.output import notice, print_json
from regcred.cli.presentation import projects as may_use
from regcred.cli.session import CliSession, of_account
from regcred.cli.shell_completion import credential_names


@click.command(
    "restrict",
    epilog=examples(
        "regcred credentials restrict team-ghcr --project shop --project blog",
        "regcred credentials restrict team-ghcr --nobody --dry-run",
    ),
)
@click.argument("credential", metavar="ID_OR_NAME", shell_complete=credential_names)
@click.option(
    "--project", "projects", multiple=True, metavar="ID", help="Only this project may use it; repeatable."
)
@click.option("--nobody", is_flag=True, help="No project may use it.")
@click.option("--everyone", is_flag=True, help="Every project of the account may use it.")
@force_options("restrict")
@of_account
def restrict(
    session: CliSession,
    /,
    *,
    credential: str,
    projects: tuple[str, ...],
    nobody: bool,
    everyone: bool,
    **given: Any,
) -> None:
    """Set which projects may use a credential. The list replaces the previous one.

    This is refused while workloads that would lose the credential use it.
    """
    force = Force.taken_from(given)
    if [bool(projects), nobody, everyone].count(True) != 1:
        raise click.UsageError("give one of --project (once or more), --nobody, --everyone")
    found = find(session, credential)
    body = {"restricted": not everyone, "projects": list(projects)}
    if force.dry_run:
        show_dry_run(session, found, "PUT", "/restrictions", body)
        return
    path = session.path("credentials", found.body["id"], "restrictions")
    after = read_back(session, session.api.change("PUT", path, found.etag, body, force.parameters))
    if session.as_json:
        print_json(after)
    else:
        notice(f"{after['name']} may be used by: {shown(may_use(after['restrictions']))}")
