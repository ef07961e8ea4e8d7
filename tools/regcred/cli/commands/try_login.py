"""`regcred credentials test`."""

from typing import Any

import click

from regcred.cli.examples import examples
from regcred.cli.login_input import login_of, login_options
from regcred.cli.outcome import leave
from regcred.cli.output import print_fields, print_json
from regcred.cli.presentation import verification_fields
from regcred.cli.session import CliSession, of_account


@click.command(
    "test",
    epilog=examples(
        "regcred credentials test --provider github --username octo",
        "regcred credentials test --provider github --username octo --image ghcr.io/acme/shop:1.4",
        "regcred credentials test --provider gar --location europe-west3 --keyfile reader.json",
    ),
)
@login_options
@click.option("--image", metavar="REF", help="Also check the access to this image; nothing is pulled.")
@of_account
def try_login(session: CliSession, /, *, image: str | None, **login: Any) -> None:
    """Test a login once, without storing it.

    The secret comes from a prompt, a file or stdin, never from an argument. Exit code 3: the registry refused
    the login or the image of --image, or did not respond.
    """
    body = {**login_of(login), "image": image}
    # Sent once: a repetition after a lost response would be a second login, and some registries count logins.
    verification = session.api.post_once(session.path("verifications"), body).body
    if session.as_json:
        print_json(verification)
    else:
        print_fields(list(verification_fields(verification, verification["help"])))
    leave(verification["status"], waited=1, probe=verification["probe"])
