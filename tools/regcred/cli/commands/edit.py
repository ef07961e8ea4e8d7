"""`regcred credentials edit`."""

from typing import Any

import click

from regcred.cli.details_input import details_of, details_options
from regcred.cli.examples import examples
from regcred.cli.force import Force, force_options, show_dry_run
from regcred.cli.lookup import find, read_back
from regcred.cli.outcome import show
from regcred.cli.output import notice, print_json
from regcred.cli.session import CliSession, of_account
from regcred.cli.shell_completion import credential_names


@click.command(
    "edit",
    epilog=examples(
        "regcred credentials edit team-ghcr --name shop-ghcr --description 'for the shop'",
        "regcred credentials edit team-ghcr --prefix acme/ --prefix acme-base/ --expires 90d",
        "regcred credentials edit team-ghcr --prefix acme/ --dry-run",
        "regcred credentials edit team-jfrog --also-host docker.acme.com",
    ),
)
@click.argument("credential", metavar="ID_OR_NAME", shell_complete=credential_names)
@click.option("--name", metavar="NAME", help="The new name.")
@click.option("--pull/--no-pull", default=None, help="Whether it is used to pull images.")
@click.option("--push/--no-push", default=None, help="Whether it is used to push images.")
@details_options(description="A description; '' removes it.")
@click.option("--every-repository", is_flag=True, help="Remove the prefixes.")
@click.option("--one-host", is_flag=True, help="Remove the additional hosts.")
@click.option("--no-mirror", is_flag=True, help="It is for no mirror any more.")
@click.option("--never-expires", is_flag=True, help="Remove the expiry.")
@force_options("change")
@of_account
def edit(session: CliSession, /, *, credential: str, **given: Any) -> None:
    """Change name, description, purpose, expiry or additional hosts.

    Options that are not given do not change. Use `rotate` to change secret and registry. This is refused
    while workloads that would lose the credential use it.
    """
    force = Force.taken_from(given)
    changes = details_of(given)
    scope = {name: given[name] for name in ("pull", "push") if given[name] is not None}
    if given["name"] is not None:
        changes["name"] = given["name"]
    if not changes and not scope:
        raise click.UsageError("nothing to change: use at least one option")
    found = find(session, credential)
    if scope:
        changes["scope"] = {**found.body["scope"], **scope}  # the API replaces both values
    if force.dry_run:
        show_dry_run(session, found, "PATCH", "", changes)
        return
    path = session.path("credentials", found.body["id"])
    changed = session.api.change("PATCH", path, found.etag, changes, force.parameters)
    after = read_back(session, changed)
    if session.as_json:
        print_json(after)
    else:
        show(session, after)
        notice(f"{after['name']} is changed")
