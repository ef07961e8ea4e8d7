"""`regcred why`."""

import click

from regcred.apiclient.transport import Json
from regcred.cli.examples import examples
from regcred.cli.output import notice, print_json, print_table
from regcred.cli.session import FAILED, CliSession, of_account

_HEADERS = ("CREDENTIAL", "USED", "WHY", "ID")
# The words of `selected.reason` and `candidates[].reason`, as the API documents them; others as they are.
_SELECTED = {
    "only_eligible": "it is the only one that may be used",
    "most_specific": "its repository prefix fits best",
    "best_verified": "of those that fit, its verification stands best",
    "newest": "of those that fit equally well, it is the newest",
    "lowest_id": "of those that are equal in all else, its id comes first",
}
_OTHERS = {
    "other_repository": "it is for other repositories",
    "restricted": "it is restricted to other projects",
    "no_pull_scope": "it is not for pulling",
    "no_push_scope": "it is not for pushing",
    "expired": "it has expired",
    "less_specific": "another one's repository prefix fits better",
    "not_verified": "it is not verified yet, and another one is",
    "verification_failed": "its verification failed, and that of another one did not",
    "older": "another one is newer",
    "higher_id": "equal in all else, another one's id comes first",
}


@click.command(
    "why",
    epilog=examples(
        "regcred why ghcr.io/acme/shop:1.4 --project shop",
        "regcred why nginx --project shop --json | jq .selected",
    ),
)
@click.argument("image", metavar="IMAGE")
@click.option("--project", required=True, metavar="ID", help="The project.")
@click.option("--push", is_flag=True, help="For a push, in place of a pull.")
@of_account
def why(session: CliSession, /, *, image: str, project: str, push: bool) -> None:
    """Show which credential a project would use for an image, and why.

    It also shows the other credentials of that registry, with the reasons. No secret is issued. Exit code 1:
    none may be used.
    """
    body = {"image": image, "project_id": project, "operation": "push" if push else "pull"}
    found = session.api.post(session.path("resolutions"), body).body
    selected = found["selected"]
    if session.as_json:
        print_json(found)
    elif found["candidates"]:
        print_table(_HEADERS, (_row(candidate, selected) for candidate in found["candidates"]))
    if selected is None:
        notice(_none_for(found, project))
        raise click.exceptions.Exit(FAILED)


def _row(candidate: Json, selected: Json | None) -> tuple[object, ...]:
    used = selected is not None and candidate["credential_id"] == selected["credential_id"]
    reason = selected["reason"] if used and selected else candidate["reason"]
    return (
        candidate["name"],
        "yes" if used else "no",
        (_SELECTED if used else _OTHERS).get(reason, reason),
        candidate["credential_id"],
    )


def _none_for(found: Json, project: str) -> str:
    where = f"{found['image']['registry_host']}/{found['image']['repository']}"
    if found["candidates"]:
        return f"project {project} may use none of them for {where}"
    return f"the account has no credential for {found['image']['registry_host']}"
