"""`regcred audit`."""

from pathlib import Path
from typing import Any

import click

from regcred.cli.audit_stream import NDJSON, follow
from regcred.cli.examples import examples
from regcred.cli.export import CSV, export
from regcred.cli.lazy_group import DefaultGroup, Lazy
from regcred.cli.lookup import credential_id_of
from regcred.cli.moments import moment_option
from regcred.cli.output import notice, print_json, print_table
from regcred.cli.presentation import actor, event_details, moment
from regcred.cli.session import CliSession, of_account
from regcred.cli.shell_completion import audit_actions, credential_names

_HEADERS = ("TIME", "ACTION", "OUTCOME", "CREDENTIAL", "REGISTRY", "PROJECT", "ACTOR", "DETAILS")
_DEFAULT_LIMIT = 50
_OUTPUT = click.Path(dir_okay=False, path_type=Path)


# Commands for operators use packages that the client does not have.
_OPERATOR_COMMANDS = {
    "proof": Lazy("operations.audit.command:proof", "Write a proof of the events of an account."),
    "verify": Lazy("operations.audit.command:verify", "Verify a proof of an account, without a database."),
    "seal": Lazy(
        "operations.audit.segments_command:seal", "Move old rows of the audit trail to signed files."
    ),
    "segments": Lazy("operations.audit.segments_command:segments", "Verify and read archived rows."),
}


@click.group("audit", cls=DefaultGroup, lazy=_OPERATOR_COMMANDS)
def audit() -> None:
    """Show and prove the audit trail.

    Without a subcommand it lists: `regcred audit --since 24h`. `regcred audit list --help` shows the
    filters.
    """


@audit.command(
    "list",
    epilog=examples(
        "regcred audit --since 24h --outcome failure",
        "regcred audit --credential team-ghcr --json",
        "regcred audit --since 2026-01-01T00:00:00Z --csv --output audit.csv",
        "regcred audit --follow --outcome denied",
    ),
)
@moment_option("--since", "since", ago=True, text="From this time on: 24h (ago), or RFC 3339.")
@moment_option("--until", "until", ago=True, text="Before this time: 1h (ago), or RFC 3339.")
@click.option(
    "--action",
    metavar="TYPE",
    shell_complete=audit_actions,
    help="Such as credential.added or verification.failed.",
)
@click.option("--outcome", type=click.Choice(["success", "denied", "failure"]), help="The outcome.")
@click.option("--actor", metavar="ID", help="The actor.")
@click.option(
    "--credential",
    metavar="ID_OR_NAME",
    shell_complete=credential_names,
    help="The credential; a removed one by its id.",
)
@click.option("--project", "project_id", metavar="ID", help="The project.")
@click.option("--registry", "registry_host", metavar="HOST", help="The registry.")
@click.option("--image", metavar="IMAGE", help="The image.")
@click.option("--request-id", metavar="ID", help="The request.")
@click.option(
    "--limit", type=click.IntRange(1), metavar="N", help=f"Maximum number; default: {_DEFAULT_LIMIT}."
)
@click.option("--ndjson", is_flag=True, help="All rows, one JSON object per line.")
@click.option("--csv", is_flag=True, help="All rows, for spreadsheets.")
@click.option("--output", type=_OUTPUT, metavar="FILE", help="File for --ndjson or --csv; default: stdout.")
@click.option("--oldest-first", is_flag=True, help="Oldest first.")
@click.option("--follow", "following", is_flag=True, help="Continue with new rows, until Ctrl-C.")
@of_account
def list_events(
    session: CliSession,
    /,
    *,
    credential: str | None,
    limit: int | None,
    ndjson: bool,
    csv: bool,
    output: Path | None,
    oldest_first: bool,
    following: bool,
    **wanted: Any,
) -> None:
    """List the audit trail.

    One event per line, newest first. `--csv` and `--ndjson` contain more fields than the table.
    """
    if [session.as_json, ndjson, csv].count(True) > 1:
        raise click.UsageError("use only one of --json, --ndjson and --csv")
    exported = ndjson or csv
    if output and not exported:
        raise click.UsageError("--output needs --ndjson or --csv")
    if following and (csv or output or limit or oldest_first):
        raise click.UsageError("--follow can be combined only with filters, --json and --ndjson")
    if limit and exported:
        raise click.UsageError("an export has no --limit: use --since and --until")
    if credential is not None:
        wanted["credential_id"] = credential_id_of(session, credential)
    if following:
        follow(session, wanted, raw=ndjson or session.as_json)
        return
    if oldest_first:
        wanted["order"] = "asc"
    if exported:
        export(session, "audit-events", wanted, NDJSON if ndjson else CSV, output)
    else:
        _show(session, wanted, limit or _DEFAULT_LIMIT)


def _show(session: CliSession, wanted: dict[str, Any], limit: int) -> None:
    found = session.api.listing(session.path("audit-events"), wanted, limit=limit)
    if session.as_json:
        print_json(found)
    elif found["items"]:
        print_table(_HEADERS, map(_row, found["items"]))
        if found["next_cursor"]:
            notice(f"there are more than {limit} events: use --limit, or --ndjson for all")
    else:
        notice("no event matches")
    sealed = found.get("sealed")
    if sealed and not session.as_json:
        names = ", ".join(sealed["segments"])
        notice(f"events up to position {sealed['up_to']} are archived, see `regcred audit segments`: {names}")


def _row(event: dict[str, Any]) -> tuple[object, ...]:
    return (
        moment(event["time"]),
        event["action"],
        event["outcome"],
        event["credential_name"],
        event["registry_host"],
        event["project_id"],
        actor(event),
        event_details(event),
    )
