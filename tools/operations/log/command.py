"""`regcred log`: verify the log, export it, sign its end, and adopt it after a restore.

Exit code 0: the log is intact; 1: it is broken; 2: could not be determined.
"""

from pathlib import Path

import click

from operations.log import maintenance
from regcred.cli.files import output_file

KEY_FILE = "REGCRED_LOG_KEY_FILE"
_FILE = click.Path(dir_okay=False, path_type=Path)
_OUTPUT = click.option(
    "--output",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    default="-",
    help="File; default: standard output.",
)
_KEY_FILE = click.option(
    "--key-file",
    type=_FILE,
    envvar=KEY_FILE,
    help="Private key; default: REGCRED_LOG_KEY_FILE, or log-key.pem in REGCRED_HOME.",
)


@click.group()
def log() -> None:
    """Verify the event log."""


@log.command("verify")
@click.option("--from", "first", type=click.IntRange(min=1), default=1, help="Start at this position.")
@click.option(
    "--checkpoint", type=_FILE, help="Verify that the log still has every row up to this checkpoint."
)
@click.option(
    "--public-key", type=_FILE, help="Public key of the checkpoint; default: the key file's, with .pub."
)
@click.option("--export", "exported", type=_FILE, help="Verify this exported log, without a database.")
@click.option(
    "--without-key-file", is_flag=True, help="Do not compare what needs REGCRED_KEY_FILE: names, read models."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_KEY_FILE
@click.pass_context
def verify_command(
    context: click.Context,
    *,
    first: int,
    checkpoint: Path | None,
    public_key: Path | None,
    exported: Path | None,
    without_key_file: bool,
    as_json: bool,
    key_file: Path | None,
) -> None:
    """Recompute the hash chain, show the first break, and compare what is derived from the log with it.

    These are the state of credentials, on which commands and pull secrets are decided, and the live read
    models. With --from or --export, only the chain is verified. Rows before --from are not checked. Exit code
    0: intact, 1: broken, 2: could not be determined, or not everything could be compared, for example because
    the key file is missing.
    """
    signed = None if checkpoint is None else (checkpoint, public_key or maintenance.public_key_file(key_file))
    with maintenance.reported_errors():
        report = maintenance.verify(
            first=first, checkpoint=signed, exported=exported, without_keys=without_key_file
        )
    click.echo(report.as_json() if as_json else report.as_text())
    context.exit((0 if report.complete else 2) if report.intact else 1)


@log.command("export")
@_OUTPUT
def export_command(output: Path) -> None:
    """Write the log as one JSON object per line, for `regcred log verify --export`."""
    with maintenance.reported_errors(), output_file(output) as file:
        count = maintenance.export(file)
    click.echo(f"{count} events", err=True)


@log.command("checkpoint")
@_OUTPUT
@_KEY_FILE
def checkpoint_command(output: Path, key_file: Path | None) -> None:
    """Sign the current end of the log. Store the result separately from the database."""
    with maintenance.reported_errors(), output_file(output) as file:
        file.write(maintenance.checkpoint(key_file))


@log.command("keygen")
@_KEY_FILE
def keygen_command(key_file: Path | None) -> None:
    """Create the key pair that signs checkpoints."""
    with maintenance.reported_errors():
        path, public_path, key_id = maintenance.keygen(key_file)
    click.echo(
        f"created {path} (private, store it separately from the database) and {public_path}, key id {key_id}"
    )


@log.command("repair")
def repair_command() -> None:
    """Write the state of credentials again where it differs from the log.

    Pull secrets are decided on it (`credentials.current`, `credentials.usages`). Queries continue, and
    commands wait until the end. It needs the owner of the database and the key file.
    """
    with maintenance.reported_errors():
        click.echo(maintenance.rebuild_state())


@log.command("adopt")
def adopt_command() -> None:
    """Adopt a log that was restored into a cluster with lower transaction ids.

    Events before its end that have no position get one, too.

    Stop everything that writes first. It needs the owner of the database and changes no stored event.
    """
    with maintenance.reported_errors():
        click.echo(maintenance.adopt())


@log.command("accept-loss")
def accept_loss_command() -> None:
    """Accept that published events are lost, so that the relay publishes again.

    A standby that lacked them was promoted, or an older backup was restored. The relay then publishes
    nothing, because it would use their positions again. Inform the consumers first (docs/runbook.md).
    """
    with maintenance.reported_errors():
        click.echo(maintenance.accept_loss())
