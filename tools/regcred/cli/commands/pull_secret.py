"""`regcred pull-secret`."""

import json
import sys
from pathlib import Path

import click

from regcred.apiclient.chosen import chosen
from regcred.apiclient.transport import Json
from regcred.cli.examples import examples
from regcred.cli.files import replacing
from regcred.cli.output import notice, print_json
from regcred.cli.session import CliSession, of_account

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
    short_lived: bool,
) -> None:
    """Issue the secret that a workload needs to pull its images, or a builder to push them.

    The audit trail records it first, refusals too. Either every image gets a credential, or none.
    """
    kind, slash, name = workload.partition("/")
    if not (kind and slash and name):
        raise click.BadParameter(
            "must be a kind and a name, such as deployment/storefront", param_hint="--workload"
        )
    if bool(images) == bool(registry):
        raise click.UsageError("give either images or --registry")
    if output is None and not reveal and sys.stdout.isatty():
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
    }
    if output is None:
        print_json(_issued(session, body))
        return
    with replacing(output) as file:  # opened first, so that no secret is issued if the file cannot be written
        file.write((json.dumps(_issued(session, body), indent=2) + "\n").encode())
    notice(f"written to {output}")


def _issued(session: CliSession, body: Json) -> Json:
    """Return the pull secret in its format, or the complete response with `--json`."""
    issued: Json = session.api.post(session.path("pull-secrets"), body).body
    for image in issued["anonymous_images"]:
        notice(f"{image} is pulled without a credential")
    if issued["expires_at"]:
        notice(f"valid until {issued['expires_at']}")
    printed: Json = issued if session.as_json else issued[body["format"]]
    return printed
