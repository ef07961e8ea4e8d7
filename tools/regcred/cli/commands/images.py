"""`regcred images`: the tags and images of a registry that a stored credential can access."""

import click

from regcred.apiclient.text import shown
from regcred.apiclient.transport import Json
from regcred.cli.errors import CredentialUnknown
from regcred.cli.examples import examples
from regcred.cli.image_name import ImageName, image_name
from regcred.cli.lookup import credential_id_of
from regcred.cli.output import notice, print_fields, print_json
from regcred.cli.session import FAILED, CliSession, of_account
from regcred.cli.shell_completion import credential_names

_CREDENTIAL = click.option(
    "--credential",
    metavar="ID_OR_NAME",
    shell_complete=credential_names,
    help="The credential to use. Optional if the account has only one for that registry.",
)


@click.group("images")
def images() -> None:
    """Read registries with the credentials of the account.

    The commands show the current state of the registry. They use a secret and do not return it.
    """


@images.command(
    "tags",
    epilog=examples("regcred images tags ghcr.io/acme/shop", "regcred images tags nginx --credential hub"),
)
@click.argument("repository", metavar="HOST/REPO")
@_CREDENTIAL
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Maximum number; default: all.")
@of_account
def list_tags(session: CliSession, /, *, repository: str, credential: str | None, limit: int | None) -> None:
    """List the tags of a repository, one per line."""
    image = _image(repository, "REPO")
    if image.tag or image.digest:
        raise click.BadParameter("remove the tag or digest", param_hint="HOST/REPO")
    chosen = _credential_id(session, image.registry_host, credential)
    path = session.path("credentials", chosen, "repositories", *image.repository.split("/"), "tags")
    found = session.api.listing(path, {}, limit=limit)
    if session.as_json:
        print_json(found)
        return
    for item in found["items"]:
        click.echo(shown(item["name"]))
    if found["next_cursor"]:
        notice(f"there are more than {limit} tags")


@images.command("show", epilog=examples("regcred images show ghcr.io/acme/shop:1.4", title="Example:"))
@click.argument("reference", metavar="REF")
@_CREDENTIAL
@of_account
def show_image(session: CliSession, /, *, reference: str, credential: str | None) -> None:
    """Show whether an image exists, its digest and its platforms.

    Exit code 1: it does not exist, or the credential has no access.
    """
    image = _image(reference, "REF")
    chosen = _credential_id(session, image.registry_host, credential)
    found = session.api.get(session.path("credentials", chosen, "images"), {"reference": reference}).body
    if session.as_json:
        print_json(found)
    elif found["exists"]:
        print_fields(_fields(found))
    if not found["exists"]:
        notice(f"{found['reference']} does not exist, or this credential has no access to it")
        raise click.exceptions.Exit(FAILED)


def _image(text: str, named: str) -> ImageName:
    try:
        return image_name(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=named) from None


def _credential_id(session: CliSession, registry_host: str, named: str | None) -> str:
    """The id of the credential to use."""
    if named is not None:
        return credential_id_of(session, named)
    wanted = {"registry_host": registry_host}
    stored = session.api.listing(session.path("credentials"), wanted, limit=None)["items"]
    if not stored:
        raise CredentialUnknown(f"account {session.account} has no credential for {registry_host}")
    if len(stored) > 1:
        names = ", ".join(shown(item["name"]) for item in stored)
        raise click.UsageError(f"choose a credential for {registry_host} with --credential: one of {names}")
    return str(stored[0]["id"])


def _fields(found: Json) -> list[tuple[str, object]]:
    platforms = [
        "/".join(filter(None, (platform["os"], platform["architecture"], platform["variant"])))
        for platform in found["platforms"]
    ]
    return [
        ("image", found["reference"]),
        ("digest", found["digest"]),
        ("media type", found["media_type"]),
        ("bytes to pull", found["size"]),
        ("platforms", platforms),
    ]
