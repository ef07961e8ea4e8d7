"""`regcred credentials edit`."""

from typing import Any

import click

from regcred.apiclient.transport import Json
from regcred.client.completing import credential_names
from regcred.client.examples import examples
from regcred.client.lookup import find, read_back
from regcred.client.moments import moment_option
from regcred.client.outcome import show
from regcred.client.output import notice, print_json
from regcred.client.session import Session, of_account


@click.command(
    "edit",
    epilog=examples(
        "regcred credentials edit team-ghcr --name shop-ghcr --description 'for the shop'",
        "regcred credentials edit team-ghcr --prefix acme/ --prefix acme-base/ --expires 90d",
    ),
)
@click.argument("credential", metavar="ID_OR_NAME", shell_complete=credential_names)
@click.option("--name", metavar="NAME", help="Its new name.")
@click.option("--description", metavar="TEXT", help="For people; '' takes it away.")
@click.option("--pull/--no-pull", default=None, help="Whether it is for pulling images.")
@click.option("--push/--no-push", default=None, help="Whether it is for pushing images.")
@click.option(
    "--prefix",
    "prefixes",
    multiple=True,
    metavar="PREFIX",
    help="Only repositories that begin so; repeat it.",
)
@click.option("--every-repository", is_flag=True, help="Take the prefixes away.")
@moment_option("--expires", "expires_at", ago=False, text="When the secret ends: 90d, or RFC 3339.")
@click.option("--never-expires", is_flag=True, help="Take the expiry away.")
@of_account
def edit(session: Session, /, *, credential: str, **given: Any) -> None:
    """Change name, description, purpose or expiry.

    What is not named stays. Secret and registry are changed by `rotate`.
    """
    if given["prefixes"] and given["every_repository"]:
        raise click.UsageError("--prefix and --every-repository contradict each other")
    if given["expires_at"] and given["never_expires"]:
        raise click.UsageError("--expires and --never-expires contradict each other")
    if not _changes(given, scope={}):
        raise click.UsageError("nothing to change: name at least one option")
    found = find(session, credential)
    path = session.path("credentials", found.body["id"])
    changed = session.api.change("PATCH", path, found.etag, _changes(given, scope=found.body["scope"]))
    after = read_back(session, changed)
    if session.as_json:
        print_json(after)
    else:
        show(session, after)
        notice(f"{after['name']} is changed")


def _changes(given: dict[str, Any], *, scope: Json) -> Json:
    """The body: what was named, and the other half of a scope as it stands."""
    changes = {name: given[name] for name in ("name", "description") if given[name] is not None}
    named = {name: given[name] for name in ("pull", "push") if given[name] is not None}
    if named:
        changes["scope"] = {**scope, **named}
    if given["prefixes"] or given["every_repository"]:
        changes["repository_prefixes"] = list(given["prefixes"])
    if given["expires_at"] or given["never_expires"]:
        changes["expires_at"] = given["expires_at"]
    return changes
