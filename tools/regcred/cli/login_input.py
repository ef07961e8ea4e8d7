"""Options for a login: provider, registry, location, username, secret and scope."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from regcred.apiclient.transport import Json
from regcred.cli.secret_input import credential_of, secret_options
from regcred.cli.shell_completion import provider_ids

_F = TypeVar("_F", bound=Callable[..., object])


def login_options(command: _F) -> _F:
    """Add the options that `login_of` reads."""
    for option in reversed(
        (
            click.option(
                "--provider",
                required=True,
                metavar="ID",
                shell_complete=provider_ids,
                help="The provider; see `regcred providers`.",
            ),
            click.option(
                "--registry", metavar="HOST[:PORT]", help="The registry, if the provider does not fix it."
            ),
            click.option(
                "--location", metavar="ID", help="Location of a Google registry, such as eu or europe-west3."
            ),
            click.option("--username", metavar="USER", help="As for `docker login`; some providers fix it."),
            secret_options,
            click.option("--pull/--no-pull", default=True, show_default=True, help="Use it to pull images."),
            click.option("--push/--no-push", default=False, show_default=True, help="Use it to push images."),
        )
    ):
        command = option(command)
    return command


def login_of(options: dict[str, Any]) -> Json:
    """Return the login as a part of the request body, and remove its options from `options`.

    Raises:
        click.UsageError, SecretUnreadable: as `credential_of`.
    """
    provider, registry, location, username, pull, push = (
        options.pop(name) for name in ("provider", "registry", "location", "username", "pull", "push")
    )
    return {
        "provider": provider,
        "registry_url": registry,
        "location": location,
        "credential": credential_of(options, username=username),
        "scope": {"pull": pull, "push": push},
    }
