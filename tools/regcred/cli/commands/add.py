"""`regcred credentials add`."""

from typing import Any

import click

from regcred.cli.details_input import details_of, details_options
from regcred.cli.dry_run import DRY_RUN, show_would_be
from regcred.cli.dry_run import dry_run as dry_run_of
from regcred.cli.examples import examples
from regcred.cli.login_input import login_of, login_options
from regcred.cli.outcome import settle, wait_option
from regcred.cli.presentation import credential_fields
from regcred.cli.session import CliSession, of_account

_ROUTE = "/v1/accounts/{account_id}/credentials"


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
        "regcred credentials add team-jfrog --provider custom --registry acme.jfrog.io \\",
        "    --also-host docker.acme.com --username ci   # one login for both hosts",
        "regcred credentials add hub-mirror --provider custom --registry mirror.example.com \\",
        "    --mirror-of docker.io --username ci   # pull secrets for images of docker.io get its login",
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
@DRY_RUN
@wait_option(600)
@of_account
def add(
    session: CliSession,
    /,
    *,
    name: str,
    projects: tuple[str, ...],
    restricted: bool,
    dry_run: bool,
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
    path = session.path("credentials")
    if dry_run:
        would_be = dry_run_of(session, "POST", _ROUTE, path, body).body
        show_would_be(session, would_be, credential_fields(would_be), f"{name} would be saved and verified")
        return
    settle(session, session.api.post(path, body), "saved", wait=wait)
