"""`regcred tokens`: tokens of callers."""

from pathlib import Path

import click

from regcred.apiclient.paths import segment
from regcred.apiclient.text import shown
from regcred.apiclient.transport import Json
from regcred.cli.confirmation import YES, confirm
from regcred.cli.dry_run import DRY_RUN, show_would_be
from regcred.cli.dry_run import dry_run as dry_run_of
from regcred.cli.examples import examples
from regcred.cli.files import new_private
from regcred.cli.moments import moment_option
from regcred.cli.output import notice, print_json, print_table
from regcred.cli.presentation import moment
from regcred.cli.session import CliSession, of_no_account

_PATH = "/v1/service-tokens"
_SCOPES = click.Choice(
    [
        "credentials:read",
        "credentials:write",
        "credentials:freeze",
        "secrets:issue",
        "secrets:issue_push",
        "audit:read",
        "metrics:read",
        "admin",
    ]
)
_HEADERS = ("ID", "NAME", "SCOPES", "ACCOUNTS", "PROJECTS", "CREATED", "EXPIRES", "REVOKED")
_OUTPUT = click.Path(dir_okay=False, path_type=Path)


@click.group("tokens")
def tokens() -> None:
    """Create, list and revoke service tokens.

    A service token authorises a caller of the API. These commands need a token with the scope admin.
    """


@tokens.command(
    "make",
    epilog=examples(
        "regcred tokens make deployer --scope secrets:issue --account acme --output deployer.token",
        "regcred tokens make auditor --scope audit:read --every-account --expires 90d",
    ),
)
@click.argument("name")
@click.option("--scope", "scopes", type=_SCOPES, multiple=True, required=True, help="A scope; repeatable.")
@click.option("--account", "accounts", multiple=True, metavar="ID", help="For this account; repeatable.")
@click.option("--every-account", is_flag=True, help="For every account, including new ones.")
@click.option(
    "--project",
    "projects",
    multiple=True,
    metavar="ID",
    help="Only for this project; repeatable. Default: all.",
)
@moment_option("--expires", "expires_at", ago=False, text="When it expires: 90d, or RFC 3339.")
@click.option(
    "--output", type=_OUTPUT, metavar="FILE", help="A new file (0600) for the token; default: stdout."
)
@DRY_RUN
@of_no_account
def make(
    session: CliSession,
    /,
    *,
    name: str,
    scopes: tuple[str, ...],
    accounts: tuple[str, ...],
    every_account: bool,
    projects: tuple[str, ...],
    expires_at: str | None,
    output: Path | None,
    dry_run: bool,
) -> None:
    """Create a token. It is shown only now: regcred stores a hash."""
    if bool(accounts) == every_account:
        raise click.UsageError("give either --account or --every-account")
    body = {
        "name": name,
        "scopes": list(scopes),
        "accounts": list(accounts) or None,
        "projects": list(projects) or None,
        "expires_at": expires_at,
    }
    if dry_run:
        would_be = dry_run_of(session, "POST", _PATH, _PATH, body).body
        _show_would_be(session, would_be, f"token {name} would be created")
        return
    if output is None:
        _show_token(session, session.api.post(_PATH, body).body)
        return
    with new_private(output) as file:
        token: Json = session.api.post(_PATH, body).body
        file.write(token.pop("token").encode() + b"\n")
    if session.as_json:
        print_json(token)
    else:
        notice(f"token {token['id']} is in {output}")


@tokens.command("list")
@of_no_account
def list_tokens(session: CliSession) -> None:
    """List every token, including revoked ones."""
    found = session.api.listing(_PATH, {}, limit=None)
    if session.as_json:
        print_json(found)
    else:
        print_table(_HEADERS, map(_row, found["items"]))


@tokens.command("revoke")
@click.argument("token_id", metavar="ID")
@YES
@DRY_RUN
@of_no_account
def revoke(session: CliSession, /, *, token_id: str, yes: bool, dry_run: bool) -> None:
    """Revoke a token permanently.

    It is refused everywhere within two seconds.
    """
    path = f"{_PATH}/{segment(token_id)}"
    if dry_run:
        would_be = dry_run_of(session, "DELETE", f"{_PATH}/{{token_id}}", path).body
        _show_would_be(session, would_be, f"token {token_id} would be revoked")
        return
    confirm(f"Revoke token {shown(token_id)} permanently?", yes=yes)
    session.api.change("DELETE", path, None)
    if session.as_json:
        print_json({"id": token_id, "revoked": True})
    else:
        notice(f"token {token_id} is revoked")


def _show_token(session: CliSession, token: Json) -> None:
    if session.as_json:
        print_json(token)
        return
    notice(f"token {token['id']} is created; it is shown only once")
    click.echo(token["token"])


def _show_would_be(session: CliSession, token: Json, what: str) -> None:
    fields = [(header.lower(), value) for header, value in zip(_HEADERS, _row(token), strict=True)]
    show_would_be(session, token, fields, what)


def _row(token: Json) -> tuple[object, ...]:
    return (
        token["id"],
        token["name"],
        token["scopes"],
        "all" if token["accounts"] is None else token["accounts"],
        "all" if token["projects"] is None else token["projects"],
        moment(token["created_at"]),
        moment(token["expires_at"]),
        moment(token["revoked_at"]),
    )
