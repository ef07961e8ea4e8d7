"""`--dry-run` of commands that take access from nobody. `force` has it for those that can."""

import click

from regcred.apiclient.response import ApiResponse
from regcred.apiclient.transport import Json
from regcred.cli.output import notice, print_fields, print_json
from regcred.cli.session import CliSession

DRY_RUN = click.option("--dry-run", is_flag=True, help="Show what it would do; nothing is changed.")

_PARAMETERS = {"dry_run": "true"}


def has_dry_run(session: CliSession, method: str, route: str) -> bool:
    """Whether the server knows `dry_run` in the query of a route of its OpenAPI document.

    0.9.0 ignores the parameter, and would execute the command.
    """
    operation = session.api.get("/openapi.json").body["paths"].get(route, {})
    parameters = operation.get(method.lower(), {}).get("parameters", [])
    return any(parameter.get("name") == "dry_run" for parameter in parameters)


def check_dry_run(session: CliSession, method: str, route: str) -> None:
    """Check that the server has a dry run.

    Raises:
        click.ClickException: the server would execute the command.
    """
    if not has_dry_run(session, method, route):
        raise click.ClickException("this server has no dry run of that command; nothing was changed")


def dry_run(session: CliSession, method: str, route: str, path: str, body: Json | None = None) -> ApiResponse:
    """Return the response to a dry run of a command without conditions. Raises like `check_dry_run`."""
    check_dry_run(session, method, route)
    if method == "POST":
        return session.api.post_once(path, body, _PARAMETERS)
    return session.api.change(method, path, None, body, _PARAMETERS)


def show_would_be(session: CliSession, answer: Json, fields: list[tuple[str, object]], what: str) -> None:
    """Print the response to a dry run, or with `--json` all of it. `what` would happen."""
    if session.as_json:
        print_json(answer)
        return
    print_fields(fields)
    notice(f"dry run: {what}; nothing was changed")
