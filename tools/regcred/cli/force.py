"""The options of a command by which workloads can lose a credential: `--force`, `--reason`, `--dry-run`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from regcred.apiclient.response import ApiResponse
from regcred.apiclient.transport import Json
from regcred.cli.dry_run import check_dry_run
from regcred.cli.session import CliSession
from regcred.cli.usage import show_impact

_F = TypeVar("_F", bound=Callable[..., Any])
_CREDENTIAL = "/v1/accounts/{account_id}/credentials/{credential_id}"


@dataclass(frozen=True, slots=True)
class Force:
    """What these options say."""

    force: bool
    reason: str | None
    dry_run: bool

    @classmethod
    def taken_from(cls, given: dict[str, Any]) -> "Force":
        """Remove the options from `given`.

        Raises:
            click.UsageError: `--force` without a reason.
        """
        found = cls(given.pop("force"), given.pop("reason"), given.pop("dry_run"))
        if found.force and not (found.reason or "").strip() and not found.dry_run:
            raise click.UsageError("--force needs --reason, which is recorded in the audit trail")
        return found

    @property
    def parameters(self) -> dict[str, str | None]:
        """The parameters of the query of the command."""
        return {"force": "true" if self.force else None, "reason": self.reason}


def force_options(verb: str) -> Callable[[_F], _F]:
    """Add the options. `verb` is what the command does to the credential: `remove`, `change`."""

    def add(command: _F) -> _F:
        for option in (
            click.option("--dry-run", is_flag=True, help="Show which workloads would lose it."),
            click.option("--reason", metavar="TEXT", help="For the audit trail."),
            click.option(
                "--force",
                is_flag=True,
                help=f"{verb.capitalize()} it although workloads lose it; needs --reason.",
            ),
        ):
            command = option(command)
        return command

    return add


def show_dry_run(session: CliSession, found: ApiResponse, method: str, part: str, body: Json) -> None:
    """Print which workloads would lose a credential by a change. `part` is its path below the credential.

    Raises:
        click.ClickException: the server would make the change, because it has no dry run of it.
    """
    check_dry_run(session, method, _CREDENTIAL + part)
    path = session.path("credentials", found.body["id"]) + part
    impact = session.api.change(method, path, found.etag, body, {"dry_run": "true"})
    show_impact(session, found.body["name"], impact)
