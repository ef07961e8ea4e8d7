"""`regcred pull-secret`."""

import json
import sys
from pathlib import Path

import click

from regcred.apiclient.chosen import chosen
from regcred.apiclient.transport import Json
from regcred.cli.dry_run import DRY_RUN
from regcred.cli.dry_run import dry_run as dry_run_of
from regcred.cli.examples import examples
from regcred.cli.files import replacing
from regcred.cli.output import notice, print_json, print_table
from regcred.cli.session import FAILED, CliSession, of_account

_ROUTE = "/v1/accounts/{account_id}/pull-secrets"

_OUTPUT = click.Path(dir_okay=False, path_type=Path)
_CLIENTS = click.Choice(["docker", "podman", "kubernetes", "crane"])
_FORMATS = click.Choice(["docker-config", "kubernetes-secret", "basic"])


@click.command(
    "pull-secret",
    epilog=examples(
        "regcred pull-secret ghcr.io/acme/shop:1.4 --project shop --workload deployment/storefront \\",
        "    --output config.json",
        "regcred pull-secret nginx redis --project shop --workload deployment/storefront \\",
        "    --format kubernetes-secret | kubectl apply --namespace shop --filename -",
    ),
)
@click.argument("images", nargs=-1, metavar="IMAGE...")
@click.option("--registry", metavar="HOST", help="In place of images: every image of the registry.")
@click.option("--project", required=True, metavar="ID", help="The project that pulls.")
@click.option("--workload", required=True, metavar="KIND/NAME", help="The workload, such as job/nightly.")
@click.option(
    "--format", "form", type=_FORMATS, default="docker-config", show_default=True, help="The format."
)
@click.option("--output", type=_OUTPUT, metavar="FILE", help="Write it to this file (0600); default: stdout.")
@click.option("--reveal", is_flag=True, help="Allow showing it on a terminal.")
@click.option("--allow-anonymous", is_flag=True, help="Skip images of registries without a credential.")
@click.option(
    "--allow-not-eligible", is_flag=True, help="Skip also those of which the project may use no credential."
)
@click.option(
    "--client", type=_CLIENTS, help="The client that reads the secret; what it cannot find is refused."
)
@click.option("--credential", metavar="NAME|ID", help="The credential to use for its registry.")
@click.option("--push", is_flag=True, help="To push, for builders; the token needs secrets:issue_push.")
@click.option(
    "--allow-partial", is_flag=True, help="Issue what can be issued; exit code 1 if an image is refused."
)
@DRY_RUN
@click.option("--short-lived", is_flag=True, help="Issue a token of an hour for a Google key file.")
@of_account
def pull_secret(
    session: CliSession,
    /,
    *,
    images: tuple[str, ...],
    registry: str | None,
    project: str,
    workload: str,
    form: str,
    output: Path | None,
    reveal: bool,
    allow_anonymous: bool,
    allow_not_eligible: bool,
    client: str | None,
    credential: str | None,
    push: bool,
    allow_partial: bool,
    dry_run: bool,
    short_lived: bool,
) -> None:
    """Issue the secret that a workload needs to pull its images, or a builder to push them.

    The audit trail records it first, refusals too. Either every image gets a credential, or none, unless
    --allow-partial is given.
    """
    kind, slash, name = workload.partition("/")
    if not (kind and slash and name):
        raise click.BadParameter(
            "must be a kind and a name, such as deployment/storefront", param_hint="--workload"
        )
    if bool(images) == bool(registry):
        raise click.UsageError("give either images or --registry")
    if output is None and not reveal and not dry_run and sys.stdout.isatty():
        raise click.UsageError("a terminal would show the secret: use --output FILE, a pipe or --reveal")
    body: Json = {
        "images": list(images),
        "registry_host": registry,
        "project_id": project,
        "workload": {"kind": kind, "name": name},
        "format": form.replace("-", "_"),
        "allow_anonymous": "not_eligible" if allow_not_eligible else allow_anonymous,
        "short_lived": short_lived,
        **({"operation": "push"} if push else {}),
        **chosen(credential),
        **({} if client is None else {"client": client}),
        **({"allow_partial": True} if allow_partial else {}),
    }
    if dry_run:
        _show_decision(session, body)
        return
    if output is None:
        issued = _issued(session, body)
        print_json(_printed(session, body, issued))
    else:
        with replacing(output) as file:  # opened first: if it cannot be written, no secret is issued
            issued = _issued(session, body)
            file.write((json.dumps(_printed(session, body, issued), indent=2) + "\n").encode())
        notice(f"written to {output}")
    _leave(issued)


def _show_decision(session: CliSession, body: Json) -> None:
    """Print which credential each image would get, without a secret."""
    decided: Json = dry_run_of(session, "POST", _ROUTE, session.path("pull-secrets"), body).body
    if session.as_json:
        print_json(decided)
    else:
        rows = [(image, one["credential_id"]) for one in decided["credentials"] for image in one["images"]]
        rows += [(image, "none, anonymous") for image in decided["anonymous_images"]]
        rows += [(image, f"refused: {code}") for image, code, _ in _refused(decided)]
        print_table(("IMAGE", "CREDENTIAL"), rows)
        notice("dry run: no secret was issued, and nothing was recorded")
    _leave(decided)


def _refused(answer: Json) -> list[tuple[str, str, str]]:
    """Image, code and detail of each refusal, of which there are only some with `--allow-partial`."""
    results: list[Json] = answer.get("results") or []
    return [(one["image"], one["code"], one["detail"]) for one in results if one["result"] == "refused"]


def _leave(answer: Json) -> None:
    if _refused(answer):
        raise click.exceptions.Exit(FAILED)


def _printed(session: CliSession, body: Json, issued: Json) -> Json:
    """Return the pull secret in its format, or the complete response with `--json`."""
    printed: Json = issued if session.as_json else issued[body["format"]]
    return printed


def _issued(session: CliSession, body: Json) -> Json:
    """Return the response, and say what it does not contain."""
    issued: Json = session.api.post(session.path("pull-secrets"), body).body
    for image, code, detail in _refused(issued):
        notice(f"{image} is refused ({code}): {detail}")
    for image in issued["anonymous_images"]:
        notice(f"{image} is pulled without a credential")
    if issued["expires_at"]:
        notice(f"valid until {issued['expires_at']}")
    return issued
