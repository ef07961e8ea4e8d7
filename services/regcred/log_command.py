"""`regcred log`: prove that the log is whole, export it, sign where it ends, adopt it after a restore.

Exit code 0: the log is whole; 1: it is broken; 2: that could not be found out.
"""

from pathlib import Path
from typing import BinaryIO

import click

from regcred import log_keeping

KEY_FILE = "REGCRED_LOG_KEY_FILE"
_FILE = click.Path(dir_okay=False, path_type=Path)
_KEY_FILE = click.option(
    "--key-file",
    type=_FILE,
    envvar=KEY_FILE,
    help="Private key; REGCRED_LOG_KEY_FILE, else log-key.pem in REGCRED_HOME.",
)


@click.group()
def log() -> None:
    """Prove that the event log is whole."""


@log.command("verify")
@click.option("--from", "first", type=click.IntRange(min=1), default=1, help="Begin at this position.")
@click.option("--checkpoint", type=_FILE, help="Prove that the log still has all that this checkpoint knows.")
@click.option("--public-key", type=_FILE, help="Key of the checkpoint; else the key file's, with .pub.")
@click.option("--export", "exported", type=_FILE, help="Verify this exported log; no database is needed.")
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
@_KEY_FILE
@click.pass_context
def verify_command(
    context: click.Context,
    *,
    first: int,
    checkpoint: Path | None,
    public_key: Path | None,
    exported: Path | None,
    as_json: bool,
    key_file: Path | None,
) -> None:
    """Recompute the chain of hashes, and say where it breaks first.

    What is before --from is taken as given. Exit code 0: whole, 1: broken, 2: could not be found out.
    """
    signed = None if checkpoint is None else (checkpoint, public_key or log_keeping.public_key_file(key_file))
    with log_keeping.log_errors():
        report = log_keeping.verify(first=first, checkpoint=signed, exported=exported)
    click.echo(report.as_json() if as_json else report.as_text())
    context.exit(0 if report.intact else 1)


@log.command("export")
@click.option(
    "--output", type=click.File("wb", lazy=False), default="-", help="File; standard output without."
)
def export_command(output: BinaryIO) -> None:
    """Write the log as one JSON object per line, for `regcred log verify --export`."""
    with log_keeping.log_errors():
        count = log_keeping.export(output)
    click.echo(f"{count} events", err=True)


@log.command("checkpoint")
@click.option("--output", type=_FILE, help="File; standard output without.")
@_KEY_FILE
def checkpoint_command(output: Path | None, key_file: Path | None) -> None:
    """Sign where the log ends now. Keep the result apart from the database."""
    with log_keeping.log_errors():
        document = log_keeping.checkpoint(key_file)
    if output is None:
        click.echo(document, nl=False)
    else:
        output.write_bytes(document)


@log.command("keygen")
@_KEY_FILE
def keygen_command(key_file: Path | None) -> None:
    """Make the key pair that signs checkpoints."""
    with log_keeping.log_errors():
        path, public_path, key_id = log_keeping.keygen(key_file)
    click.echo(f"made {path} (private, keep it apart from the database) and {public_path}, key id {key_id}")


@log.command("adopt")
def adopt_command() -> None:
    """Go on with a log that was restored into a cluster with younger transaction ids.

    Stop everything that writes first. Needs the owner of the database. No stored event is changed.
    """
    with log_keeping.log_errors():
        click.echo(log_keeping.adopt())
