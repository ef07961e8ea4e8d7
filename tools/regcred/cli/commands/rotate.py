"""`regcred credentials rotate`."""

from typing import Any

import click

from regcred.apiclient.transport import Json
from regcred.cli.examples import examples
from regcred.cli.force import Force, force_options, show_dry_run
from regcred.cli.lookup import find
from regcred.cli.moments import moment_option
from regcred.cli.outcome import settle, settle_rotation, wait_option
from regcred.cli.secret_input import credential_of, secret_options
from regcred.cli.session import CliSession, of_account
from regcred.cli.shell_completion import credential_names

_ACCESS_KEY_PREFIXES = ("AKIA", "ASIA")  # AWS, "Unique identifiers": the username is the id of an access key
_KEYFILE_PREFIX = "_json_key"  # also `_json_key_base64`: Google's usernames for a key file


@click.command(
    "rotate",
    epilog=examples(
        "regcred credentials rotate team-ghcr --expires 90d",
        "regcred credentials rotate team-ghcr --password-file new-token --only-if-verified",
        "regcred credentials rotate team-ecr --access-key-id AKIA…   # asks for the secret access key",
    ),
)
@click.argument("credential", metavar="ID_OR_NAME", shell_complete=credential_names)
@secret_options
@click.option("--username", metavar="USER", help="If it changes too.")
@click.option("--registry", metavar="HOST[:PORT]", help="If it changes too.")
@click.option("--location", metavar="ID", help="If it changes too.")
@moment_option("--expires", "expires_at", ago=False, text="When the new secret expires: 90d, or RFC 3339.")
@click.option("--never-expires", is_flag=True, help="Remove the expiry.")
@click.option(
    "--only-if-verified",
    is_flag=True,
    help="Keep the current secret unless the registry accepts a login with the new one.",
)
@force_options("rotate")
@wait_option(600)
@of_account
def rotate(
    session: CliSession,
    /,
    *,
    credential: str,
    username: str | None,
    registry: str | None,
    location: str | None,
    expires_at: str | None,
    never_expires: bool,
    only_if_verified: bool,
    wait: int,
    **secret: Any,
) -> None:
    """Replace the secret and verify it with a login.

    The secret comes from a prompt, a file or stdin, never from an argument. The registry changes only
    together with the secret, and needs --force while workloads use the credential.
    """
    force = Force.taken_from(secret)
    if expires_at and never_expires:
        raise click.UsageError("--expires and --never-expires contradict each other")
    found = find(session, credential)
    current = found.body["username"]
    default_username = None if current.startswith(_KEYFILE_PREFIX) else current
    if (
        current.startswith(_ACCESS_KEY_PREFIXES)
        and username is None
        and not (secret["keyfile"] or secret["docker_config"])
    ):
        secret["access_key_id"] = secret["access_key_id"] or current
    body: Json = {"credential": credential_of(secret, username=username, default_username=default_username)}
    if registry is not None:
        body["registry_url"] = registry
    if location is not None:
        body["location"] = location
    if expires_at or never_expires:
        body["expires_at"] = expires_at
    if only_if_verified:
        body["verify"] = "required"
    if force.dry_run:
        show_dry_run(session, found, "PUT", "/secret", body)
        return
    path = session.path("credentials", found.body["id"], "secret")
    changed = session.api.change("PUT", path, found.etag, body, force.parameters)
    if only_if_verified:
        settle_rotation(session, changed, wait=wait)
    else:
        settle(session, changed, "rotated", wait=wait)
