"""`regcred credentials restrict`."""

import click

from regcred.apiclient.text import shown
from regcred.cli.examples import examples
from regcred.cli.lookup import find, read_back
from regcred.cli.output import notice, print_json
from regcred.cli.presentation import projects as may_use
from regcred.cli.session import CliSession, of_account
from regcred.cli.shell_completion import credential_names
from regcred.cli.usage import show_impact


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
@click.option("--dry-run", is_flag=True, help="Show which workloads would lose it, without changing it.")
@of_account
def restrict(
    session: CliSession,
    /,
    *,
    credential: str,
    projects: tuple[str, ...],
    nobody: bool,
    everyone: bool,
    dry_run: bool,
) -> None:
    """Set which projects may use a credential. The list replaces the previous one."""
    if [bool(projects), nobody, everyone].count(True) != 1:
        raise click.UsageError("give one of --project (once or more), --nobody, --everyone")
    found = find(session, credential)
    path = session.path("credentials", found.body["id"], "restrictions")
    body = {"restricted": not everyone, "projects": list(projects)}
    if dry_run:
        impact = session.api.change("PUT", path, found.etag, body, {"dry_run": "true"})
        show_impact(session, found.body["name"], impact)
        return
    after = read_back(session, session.api.change("PUT", path, found.etag, body))
    if session.as_json:
        print_json(after)
    else:
        notice(f"{after['name']} may be used by: {shown(may_use(after['restrictions']))}")
