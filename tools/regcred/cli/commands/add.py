"""`regcred credentials add`."""

from typing import Any

import click

from regcred.cli.details_input import details_of, details_options
from regcred.cli.examples import examples
from regcred.cli.login_input import login_of, login_options
from regcred.cli.outcome import settle, wait_option
from regcred.cli.session import CliSession, of_account


@click.command(
    "add",
    epilog=examples(
        "regcred credentials add team-ghcr --provider github --username octo",
        "regcred credentials add team-gar --provider gar --location europe-west3 \\",
        "    --keyfile reader.json --project shop",
        "regcred credentials add team-ecr --provider ecr --access-key-id AKIA… \\",
        "    --registry 123456789012.dkr.ecr.eu-west-1.amazonaws.com   # asks for the secret access key",
        "regcred credentials add team-acr --provider acr --registry acmeshop.azurecr.io \\",
        "    --tenant acme.onmicrosoft.com --client-id 11111111-… --password-file client-secret",
        "vault-tool print | regcred credentials add own --provider custom \\",
        "    --registry registry.example.com:5000 --username ci --password-stdin",
    ),
)
@click.argument("name")
@login_options
@details_options(description="A description.")
@click.option(
    "--project", "projects", multiple=True, metavar="ID", help="Only this project may use it; repeatable."
)
@click.option("--restricted", is_flag=True, help="Only the given projects may use it; without any: none.")
@wait_option(600)
@of_account
def add(
    session: CliSession,
    /,
    *,
    name: str,
    projects: tuple[str, ...],
    restricted: bool,
    wait: int,
    **given: Any,
) -> None:
    """Store a credential and verify it with a login.

    The secret comes from a prompt, a file or stdin, never from an argument.
    """
    body = {
        "name": name,
        **details_of(given),
        **login_of(given),
        "restrictions": {"restricted": restricted or bool(projects), "projects": list(projects)},
    }
    settle(session, session.api.post(session.path("credentials"), body), "saved", wait=wait)
