"""`regcred why`."""

import click

from regcred.apiclient.chosen import chosen
from regcred.apiclient.transport import Json
from regcred.cli.examples import examples
from regcred.cli.output import notice, print_json, print_table
from regcred.cli.session import FAILED, CliSession, of_account

_HEADERS = ("CREDENTIAL", "USED", "REASON", "ID")
# Texts for `selected.reason` and `candidates[].reason` of the API. Unknown reasons are shown as they are.
_SELECTED = {
    "chosen": "it was chosen",
    "only_eligible": "it is the only eligible credential",
    "most_specific": "its repository prefix is the most specific",
    "best_verified": "its verification status is the best of the equally specific ones",
    "newest": "it is the newest of the equally specific and verified ones",
    "lowest_id": "its id is the lowest of credentials that are equal otherwise",
}
_OTHERS = {
    "not_chosen": "another credential was chosen",
    "other_repository": "it is for other repositories",
    "restricted": "it is restricted to other projects",
    "no_pull_scope": "its scope does not include pull",
    "no_push_scope": "its scope does not include push",
    "frozen": "it is frozen",
    "expired": "it has expired",
    "less_specific": "another credential has a more specific repository prefix",
    "not_verified": "it is not verified, and another credential is",
    "verification_failed": "its verification failed, and that of another credential did not",
    "older": "another credential is newer",
    "higher_id": "another credential is equal and has a lower id",
}


@click.command(
    "why",
    epilog=examples(
        "regcred why ghcr.io/acme/shop:1.4 --project shop",
        "regcred why nginx --project shop --credential 'Hub team'",
        "regcred why nginx --project shop --json | jq .selected",
    ),
)
@click.argument("image", metavar="IMAGE")
@click.option("--project", required=True, metavar="ID", help="The project.")
@click.option("--push", is_flag=True, help="For a push instead of a pull.")
@click.option("--credential", metavar="NAME|ID", help="The credential to use for the registry.")
@of_account
def why(session: CliSession, /, *, image: str, project: str, push: bool, credential: str | None) -> None:
    """Show which credential a project would use for an image, and why.

    It also shows the other credentials of that registry, with the reasons. No secret is issued. Exit code 1:
    none may be used.
    """
    body = {
        "image": image,
        "project_id": project,
        "operation": "push" if push else "pull",
        **chosen(credential),
    }
    found = session.api.post(session.path("resolutions"), body).body
    selected = found["selected"]
    if session.as_json:
        print_json(found)
    else:
        if found["candidates"]:
            print_table(_HEADERS, (_row(candidate, selected) for candidate in found["candidates"]))
        if found.get("more_candidates"):
            notice(f"{found['more_candidates']} more are not shown; of all of them:")
            for reason, number in found["reasons"].items():
                notice(f"  {number}: {_OTHERS.get(reason, reason)}")
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
    if found["candidates"] or found.get("more_candidates"):
        return f"project {project} may use none of them for {where}"
    return f"the account has no credential for {found['image']['registry_host']}"
