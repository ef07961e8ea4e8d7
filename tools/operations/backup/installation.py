"""Backs up and restores the embedded database of the one-machine mode, with its key file."""

import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import IO, BinaryIO

from chassis.atomic_file import replace_file
from chassis.database import open_pool, scalar
from chassis.database_roles import create_roles
from chassis.migrations import applied_migrations
from chassis.runtime.clock import now, rfc3339
from chassis.secret import Secret
from chassis.settings.environment import Settings
from eventlog.integrity import START, LogReader, verify_chain
from eventlog.storage import adopt_log
from operations.backup.backup_file import Backup, BackupManifest, opened_backup, write_backup
from operations.backup.encrypted_keys import decrypt, encrypt
from operations.embedded_postgres import EmbeddedPostgres, client_program, remove_folder, running_server
from operations.home_lock import home_lock
from operations.log.database import embedded_database, log_database
from operations.migrate.identities import GROUP_ROLES
from operations.migrate.migrations import known_migrations, migrate
from operations.migrate.preparation import accept_former_tokens
from secretstore.factory import open_secret_store
from secretstore.installation import compare_keys
from secretstore.keyfile import KeyFile
from secretstore.store import SecretStoreError

ENCRYPTED = "encrypted"
VAULT = "vault"
_PARTIAL = "restoring"  # the folder in REGCRED_HOME of a restore that has not ended


class BackupRefused(Exception):
    """The installation cannot be backed up or restored. The message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Restored:
    """The log is intact up to `position`.

    `secrets` can be decrypted (`None`: they are in Vault), and `unreadable` were damaged before the backup.
    """

    position: int
    version: str
    secrets: int | None
    unreadable: int


def back_up(settings: Settings, file: BinaryIO, passphrase: Secret | None) -> BackupManifest:
    """Write a backup of one moment of the installation, also while `regcred up` runs.

    Args:
        settings: the installation.
        file: where the backup is written to.
        passphrase: encrypts the key file in the backup; `None`: the backup has no key file.

    Raises:
        BackupRefused: the database is not embedded, or pg_dump failed.
        NoDatabase: the installation has no database.
        KeyFileError: the key file cannot be used, or does not belong to the database.
    """
    _require_embedded(settings)
    with (
        log_database(settings) as url,
        LogReader.snapshot(url) as reader,
        tempfile.TemporaryFile(dir=settings.home) as dump,  # without a name: no kill can leave it
    ):
        compare_keys(KeyFile.load(settings.key_file), reader.connection)  # without its keys, it is of no use
        end = reader.end()
        manifest = BackupManifest(
            version=version("regcred"),
            time=rfc3339(now()),
            position=end.position,
            log_hash=end.hash.hex(),
            migrations=sorted(applied_migrations(reader.connection)),
            secret_store=_secret_store(settings),
            sha256={},
        )
        snapshot = scalar(reader.connection, "SELECT pg_export_snapshot()")
        _run(settings.home, "pg_dump", "--format=custom", f"--snapshot={snapshot}", url, output=dump)
        # After the dump, so that it has every key that the dump needs. A new key is in the file first.
        keys = encrypt(settings.key_file.read_bytes(), passphrase) if passphrase is not None else None
        write_backup(file, manifest, dump, keys)
    return manifest


def restore(
    settings: Settings, path: Path, key_file: Path | None, passphrase: Callable[[], Secret]
) -> Restored:
    """Restore a backup as a new installation in `settings.home`, and verify it.

    A restore that is interrupted leaves no installation and can be repeated.

    Args:
        settings: the new installation, which has no database and no key file.
        path: the backup.
        key_file: the key file of the installation, if the backup does not contain it.
        passphrase: called for the passphrase of the key file in the backup, if that is needed.

    Raises:
        BackupRefused: there is an installation, the key file is missing, the backup is of a newer version, or
            its contents are not intact.
        IntegrityError: the log does not have the position that the backup names.
        BackupDamaged: the file is not a complete backup.
        WrongPassphrase: the key file in the backup does not open.
        KeyFileError: `key_file` cannot be used, or does not belong to the backup.
        HomeInUse: `regcred up` or another command uses `settings.home`.
    """
    _require_embedded(settings)
    for folder in (settings.home, settings.key_file.parent):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    postgres, partial = settings.home / "postgres", settings.home / _PARTIAL
    with home_lock(settings.home):
        _take_back(postgres, partial, settings.key_file)
        for existing in (postgres, settings.key_file):
            if existing.exists():
                raise BackupRefused(f"{existing} exists: restore into another REGCRED_HOME, or move it away")
        _remove(partial)
        partial.mkdir(mode=0o700)
        try:
            with opened_backup(path, partial) as backup:
                _require_usable(backup.manifest, settings)
                keys = _write_keys(partial / "keys.json", _keys(backup, key_file, passphrase))
                with embedded_database(partial / "postgres") as url:
                    restored = _restore_database(settings, url, backup, keys)
            # In this order, because a database without its key file is refused by `regcred up`.
            (partial / "postgres").rename(postgres)
            _write_keys(settings.key_file, (partial / "keys.json").read_bytes())
        finally:
            _take_back(postgres, partial, settings.key_file)
            _remove(partial)
    return restored


def _restore_database(settings: Settings, url: str, backup: Backup, keys: KeyFile) -> Restored:
    manifest = backup.manifest
    create_roles(url, GROUP_ROLES)
    _run(settings.home, "pg_restore", "--exit-on-error", f"--dbname={url}", str(backup.dump))
    applied = migrate(url)
    adopt_log(url)
    with LogReader.snapshot(url) as reader:
        compare_keys(keys, reader.connection)
        stored = reader.anchor_at(manifest.position)
        if stored.hash.hex() != manifest.log_hash:
            raise BackupRefused(f"position {stored.position} of the log is not that of the backup")
        found = verify_chain(reader.links(0), start=START, checkpoint=None)
        fault = found.fault or reader.fault_outside_chain()
        if fault is not None:
            raise BackupRefused(f"the log in this backup is broken: {fault.kind}: {fault.detail}")
    accept_former_tokens(applied, url, keys)
    secrets, unreadable = _decrypted(settings, url, keys) if settings.vault is None else (None, 0)
    return Restored(found.end.position, manifest.version, secrets, unreadable)


def _decrypted(settings: Settings, url: str, keys: KeyFile) -> tuple[int, int]:
    """Decrypt every secret that was not destroyed. Return how many can be decrypted, and how many cannot.

    The key file is the right one, so the latter were damaged before the backup was made.
    """
    readable = unreadable = 0
    with open_pool(url, role="regcred_credentials", size=1) as pool:
        store = open_secret_store(settings, pool=pool, keys=keys)
        for path in store.paths():
            for stored in store.versions(path):
                if stored.destroyed:
                    continue
                try:
                    store.get(path, stored.version)
                    readable += 1
                except SecretStoreError:
                    unreadable += 1
    return readable, unreadable


def _keys(backup: Backup, key_file: Path | None, passphrase: Callable[[], Secret]) -> bytes:
    if key_file is not None:
        KeyFile.load(key_file)
        return key_file.read_bytes()
    if backup.keys is None:
        raise BackupRefused("this backup contains no key file: name that of the installation with --key-file")
    return decrypt(backup.keys, passphrase())


def _write_keys(path: Path, content: bytes) -> KeyFile:
    replace_file(path, content, mode=0o600)
    return KeyFile.load(path)


def _require_embedded(settings: Settings) -> None:
    if settings.database_url is not None:
        raise BackupRefused(
            "REGCRED_DATABASE_URL selects a database of its own: use pg_dump and pg_restore (docs/runbook.md)"
        )


def _require_usable(manifest: BackupManifest, settings: Settings) -> None:
    unknown = sorted(set(manifest.migrations) - {migration.name for migration in known_migrations()})
    if unknown:
        raise BackupRefused(
            f"this backup was written by regcred {manifest.version}, and this is {version('regcred')},"
            f" which does not know {unknown[0]}: restore it with the newer version"
        )
    if manifest.secret_store != _secret_store(settings):
        raise BackupRefused(
            "the secrets of this backup are in Vault: set REGCRED_VAULT_ADDR as it was"
            if manifest.secret_store == VAULT
            else "the secrets are in this backup: unset REGCRED_VAULT_ADDR"
        )


def _secret_store(settings: Settings) -> str:
    return ENCRYPTED if settings.vault is None else VAULT


def _run(home: Path, program: str, *arguments: str, output: IO[bytes] | None = None) -> None:
    """Run a client program of PostgreSQL. Raises `BackupRefused` with its last line if it fails."""
    done = subprocess.run(
        [client_program(program, home), *arguments],
        stdout=output or subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no reason"])[-1]
        raise BackupRefused(f"{program} failed: {reason}")


def _take_back(postgres: Path, partial: Path, key_file: Path) -> None:
    """Take back the database of a restore that ended before it wrote the key file."""
    moved = (partial / "keys.json").exists() and not (partial / "postgres").exists()
    if moved and postgres.exists() and not key_file.exists():
        postgres.rename(partial / "postgres")


def _remove(partial: Path) -> None:
    """Remove the folder of a restore, and stop the server that a killed one left running."""
    if running_server(partial / "postgres") is not None:
        EmbeddedPostgres(partial / "postgres").stop()
    if partial.exists():
        remove_folder(partial)
