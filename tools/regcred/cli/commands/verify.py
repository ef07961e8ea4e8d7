"""`regcred credentials verify`."""

import click

from regcred.cli.dry_run import DRY_RUN, show_would_be
from regcred.cli.dry_run import dry_run as dry_run_of
from regcred.cli.examples import examples
from regcred.cli.lookup import await_read_models, find
from regcred.cli.outcome import leave, wait_option
from regcred.cli.output import notice, print_fields, print_json
from regcred.cli.presentation import verification_fields
from regcred.cli.session import CliSession, of_account
from regcred.cli.shell_completion import credential_names

_ROUTE = "/v1/accounts/{account_id}/credentials/{credential_id}/verifications"
_LONGEST = 30  # seconds; the longest wait of the API


@click.command(
    "verify",
    epilog=examples(
        "regcred credentials verify team-ghcr --image ghcr.io/acme/shop:1.4",
        'regcred credentials verify team-ghcr || echo "exit code $?: 3 refused, 4 no verdict yet"',
    ),
)
@click.argument("credential", metavar="ID_OR_NAME", shell_complete=credential_names)
@click.option("--image", metavar="REF", help="Also check the access to this image; nothing is pulled.")
@DRY_RUN
@wait_option(_LONGEST)
@of_account
def verify(session: CliSession, /, *, credential: str, image: str | None, dry_run: bool, wait: int) -> None:
    """Log in to the registry again.

    With --image, exit code 3 also means that the login cannot pull that image, or cannot push to it although
    its scope declares this. The credential stays verified.
    """
    found = find(session, credential).body
    path = session.path("credentials", found["id"], "verifications")
    body = {"image": image} if image else None
    if dry_run:
        would_be = dry_run_of(session, "POST", _ROUTE, path, body or {}).body
        fields = [("name", found["name"]), ("secret_version", would_be["secret_version"])]
        show_would_be(session, would_be, fields, "it would be verified again")
        return
    command = session.api.post(path, body, prefer=f"wait={wait}" if wait else None)
    await_read_models(session, command)
    verification = command.body
    if session.as_json:
        print_json(verification)
    else:
        print_fields([("name", found["name"]), *verification_fields(verification, verification["help"])])
        if wait and verification["status"] == "pending":
            notice(f"no verdict within {wait} s, see `regcred credentials show {found['id']}` later")
    leave(verification["status"], waited=wait, probe=verification["probe"])
