"""`regcred backup` and `regcred restore`."""

import os
import sys
from pathlib import Path

import click

from chassis.observability.logs import configure_logs
from chassis.runtime.core_dumps import disable_core_dumps
from chassis.secret import Secret
from chassis.settings.environment import Settings
from eventlog.integrity import IntegrityError
from operations.backup.backup_file import BackupDamaged
from operations.backup.encrypted_keys import WrongPassphrase
from operations.backup.installation import VAULT, BackupRefused, back_up, restore
from operations.command_errors import refused
from operations.home_lock import HomeInUse
from regcred.cli.errors import OutputUnwritable
from regcred.cli.examples import examples
from regcred.cli.files import new_private

_FILE = click.Path(dir_okay=False, path_type=Path)
_PASSPHRASE_FILE = click.option(
    "--passphrase-file", type=_FILE, help="File with the passphrase of the key file in the backup."
)


@click.command(
    "backup", epilog=examples("regcred backup monday.regcred --with-keys", "regcred backup nightly.regcred")
)
@click.argument("file", type=_FILE)
@click.option("--with-keys", is_flag=True, help="Include the key file, encrypted with a passphrase.")
@_PASSPHRASE_FILE
def backup_command(file: Path, *, with_keys: bool, passphrase_file: Path | None) -> None:
    """Write a backup of the one-machine mode to a new FILE, also while `regcred up` runs.

    It contains the log, the read models, the tokens and the encrypted secrets. Nobody can read the secrets
    without the key file: store the two separately, or use --with-keys.
    """
    with refused(BackupRefused, OutputUnwritable):
        disable_core_dumps()
        configure_logs("backup")
        settings = Settings.from_environment(os.environ)
        passphrase = _passphrase(passphrase_file, new=True) if with_keys or passphrase_file else None
        with new_private(file) as target:
            manifest = back_up(settings, target, passphrase)
    click.echo(f"wrote {file}: the log up to position {manifest.position}")
    if passphrase is None:
        click.echo(f"store {settings.key_file} separately: without it the secrets cannot be read")
    if manifest.secret_store == VAULT:
        click.echo("the secrets are in Vault, which needs a backup of its own")


@click.command(
    "restore",
    epilog=examples("REGCRED_HOME=/srv/regcred regcred restore monday.regcred --passphrase-file passphrase"),
)
@click.argument("file", type=click.Path(dir_okay=False, exists=True, path_type=Path))
@click.option("--key-file", type=_FILE, help="The key file of the installation, if the backup has none.")
@_PASSPHRASE_FILE
def restore_command(file: Path, *, key_file: Path | None, passphrase_file: Path | None) -> None:
    """Restore a backup into an empty REGCRED_HOME, and verify it.

    The restored installation has the state of the backup. `regcred up` creates a new admin token for it.
    """
    with refused(BackupRefused, BackupDamaged, WrongPassphrase, HomeInUse, IntegrityError):
        disable_core_dumps()
        configure_logs("restore")
        settings = Settings.from_environment(os.environ)
        restored = restore(settings, file, key_file, lambda: _passphrase(passphrase_file, new=False))
    readable = "they are in Vault" if restored.secrets is None else str(restored.secrets)
    click.echo(f"restored a backup of regcred {restored.version}")
    click.echo(f"the log is intact up to position {restored.position}; secrets that can be read: {readable}")
    if restored.secrets is None:
        click.echo(
            "Vault belongs to the original: if nothing uses that any more, run"
            " `regcred installation adopt --database`"
        )
    if restored.unreadable:
        click.echo(
            f"{restored.unreadable} secrets were damaged when the backup was made: rotate those that"
            " verifications report as secret_unreadable"
        )


def _passphrase(file: Path | None, *, new: bool) -> Secret:
    """Read the passphrase from the file, otherwise from a hidden prompt.

    Raises:
        click.UsageError: there is neither a file nor a terminal, or the passphrase is empty or not UTF-8.
    """
    if file is not None:
        try:
            text = file.read_text(encoding="utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise click.UsageError(f"{file} is not text in UTF-8") from None
    elif sys.stdin.isatty():
        text = click.prompt("Passphrase of the key file", hide_input=True, confirmation_prompt=new, err=True)
    else:
        raise click.UsageError(
            "name the passphrase with --passphrase-file: there is no terminal for a prompt"
        )
    if not text:
        raise click.UsageError("the passphrase is empty")
    return Secret(text)
