"""`regcred audit seal` and `regcred audit segments`: archive old rows of the read models, and read them.

Exit code 0: done or intact; 1: a segment is broken; 2: could not be determined.
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from operations.audit import archive
from operations.audit import segments as audit_segments
from operations.audit.segment_filter import InvalidFilter, filters_of
from operations.command_errors import person
from operations.log.command import KEY_FILE
from projector.archive.audit_archive import ArchiveOrder
from regcred.cli.examples import examples
from regcred.cli.moments import moment_option
from regcred.cli.output import print_json, print_table

_FILE = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)
_SIZE = 1_000_000
_KEY_FILE = click.option(
    "--key-file",
    type=_FILE,
    envvar=KEY_FILE,
    help="Private key; default: REGCRED_LOG_KEY_FILE, or log-key.pem in REGCRED_HOME.",
)
_PUBLIC_KEY = click.option(
    "--public-key", type=_FILE, help="Public key of the signer; default: the key file's, with .pub."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command(
    "seal",
    epilog=examples(
        "regcred audit seal --older-than 400 --into /srv/audit",
        "regcred audit seal --until 2026-01-01T00:00:00Z --into /srv/audit",
    ),
)
@moment_option("--until", "until", ago=True, text="Archive rows before this time (RFC 3339).")
@click.option(
    "--older-than", "days", type=click.IntRange(1), metavar="DAYS", help="Archive rows that are older."
)
@click.option("--into", "root", type=_FOLDER, required=True, metavar="DIR", help="Folder of the segments.")
@click.option("--by", metavar="NAME", help="Name for the audit trail; default: your login.")
@click.option(
    "--size",
    type=click.IntRange(1),
    default=_SIZE,
    show_default=True,
    help="Maximum number of positions per segment.",
)
@_KEY_FILE
@_JSON
@click.pass_context
def seal(
    context: click.Context,
    *,
    until: str | None,
    days: int | None,
    root: Path,
    by: str | None,
    size: int,
    key_file: Path | None,
    as_json: bool,
) -> None:
    """Move old rows of the audit trail to signed files.

    The rows are deleted from the read models after the files are verified. The log retains every event. The
    next run continues an interrupted one. Run it as the owner of the database.
    """
    if (until is None) == (days is None):
        raise click.UsageError("give either --until or --older-than", context)

    def order_at(moment: datetime) -> ArchiveOrder:
        try:
            before = (
                moment - timedelta(days=days) if days is not None else datetime.fromisoformat(until or "")
            )
        except OverflowError:
            raise click.UsageError("--older-than begins before the calendar", context) from None
        if before > moment:
            raise click.UsageError("--until is in the future: everything would be archived", context)
        return ArchiveOrder(until=before, root=root, size=size, by=by or person())

    done = archive.archive_audit_trail(order_at, key_file)
    if as_json:
        print_json(archive.as_document(done))
    else:
        click.echo(archive.as_text(done))


@click.group("segments")
def segments() -> None:
    """Verify and read archived rows.

    No database is needed. DIR is the folder of `regcred audit seal --into`, or one segment in it.
    """


@segments.command("list")
@click.argument("folder", type=_FOLDER, metavar="DIR")
@_PUBLIC_KEY
@_KEY_FILE
@_JSON
def list_command(*, folder: Path, public_key: Path | None, key_file: Path | None, as_json: bool) -> None:
    """List the segments in DIR."""
    found = audit_segments.listed(folder, public_key, key_file)
    if as_json:
        print_json({"items": [segment.as_document() for segment in found]})
    else:
        print_table(audit_segments.HEADERS, [segment.as_row() for segment in found])


@segments.command("verify")
@click.argument("folder", type=_FOLDER, metavar="DIR")
@click.option(
    "--erased",
    multiple=True,
    metavar="ACCOUNT",
    help="An erased account, whose files may be missing; repeatable.",
)
@click.option("--with-log", is_flag=True, help="Also compare with the log; needs the database.")
@_PUBLIC_KEY
@_KEY_FILE
@_JSON
@click.pass_context
def verify_command(
    context: click.Context,
    *,
    folder: Path,
    erased: tuple[str, ...],
    with_log: bool,
    public_key: Path | None,
    key_file: Path | None,
    as_json: bool,
) -> None:
    """Verify that no byte of the segments was changed and that no segment is missing."""
    report = audit_segments.verify(folder, public_key, key_file, erased=frozenset(erased), with_log=with_log)
    click.echo(report.as_json() if as_json else report.as_text())
    context.exit(0 if report.intact else 1)


@segments.command(
    "show",
    epilog=examples(
        "regcred audit segments show /srv/audit --account acme --since 2026-01-01T00:00:00Z",
        "regcred audit segments show /srv/audit --account acme --outcome denied --csv",
    ),
)
@click.argument("folder", type=_FOLDER, metavar="DIR")
@click.option(
    "--account", envvar="REGCRED_ACCOUNT", show_envvar=True, metavar="ID", required=True, help="The account."
)
@moment_option("--since", "since", ago=True, text="From this time on: 90d (ago), or RFC 3339.")
@moment_option("--until", "until", ago=True, text="Before this time: 90d (ago), or RFC 3339.")
@click.option("--after", type=click.IntRange(0), metavar="POSITION", help="After this position of the log.")
@click.option("--action", metavar="TYPE", help="Such as credential.added or verification.failed.")
@click.option("--outcome", type=click.Choice(["success", "denied", "failure"]), help="The outcome.")
@click.option("--actor", metavar="ID", help="The actor.")
@click.option("--credential", "credential_id", type=click.UUID, metavar="ID", help="The credential.")
@click.option("--project", "project_id", metavar="ID", help="The project.")
@click.option("--registry", "registry_host", metavar="HOST", help="The registry.")
@click.option("--image", metavar="IMAGE", help="The image or repository, in any spelling.")
@click.option("--request-id", metavar="ID", help="The request.")
@click.option("--csv", "as_csv", is_flag=True, help="For spreadsheets; default: one JSON object per line.")
@_PUBLIC_KEY
@_KEY_FILE
@_JSON
def show_command(
    *,
    folder: Path,
    account: str,
    as_csv: bool,
    as_json: bool,
    public_key: Path | None,
    key_file: Path | None,
    **wanted: Any,
) -> None:
    """Print the archived rows of an account, oldest first.

    Each file is verified before its rows are printed. The filters are those of the API.
    """
    if as_csv and as_json:
        raise click.UsageError("use only one of --csv and --json")
    form: audit_segments.Form = "csv" if as_csv else "json" if as_json else "ndjson"
    try:
        filters = filters_of(wanted)
    except InvalidFilter as error:
        raise click.UsageError(str(error)) from None
    audit_segments.show(folder, account, filters, public_key, key_file, form=form)
