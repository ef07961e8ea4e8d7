"""The file of a backup: a tar archive of a manifest, a dump of the database, and perhaps the key file.

`manifest.json` is the first member and names the SHA-256 of the others. The dump has the custom format of
pg_dump, which is compressed; the archive is not.
"""

import hashlib
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import BufferedRandom, BytesIO
from pathlib import Path
from typing import IO, BinaryIO

import msgspec

from regcred.cli.files import new_private

FORMAT = 1
_MANIFEST, _DUMP, _KEYS = "manifest.json", "database.dump", "keys.encrypted"
_CHUNK = 1024 * 1024


class BackupDamaged(Exception):
    """The file is not a backup, is incomplete, or was changed."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} is not a complete backup: {reason}")


@dataclass(frozen=True, slots=True)
class BackupManifest:
    """What a backup contains.

    Attributes:
        version: the version of regcred that wrote it.
        time: when, in RFC 3339.
        position: the last position of the log; `log_hash` is its hash in the chain, 64 hex digits.
        migrations: the names of the migrations of the database.
        secret_store: where the secrets are: `encrypted` (in this database) or `vault` (not in the backup).
        sha256: the digest of each other member, in hex.
    """

    version: str
    time: str
    position: int
    log_hash: str
    migrations: list[str]
    secret_store: str
    sha256: dict[str, str]
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup whose digests are right. `keys` is the encrypted key file, if the backup has one."""

    manifest: BackupManifest
    dump: Path
    keys: bytes | None


def write_backup(file: BinaryIO, manifest: BackupManifest, dump: BufferedRandom, keys: bytes | None) -> None:
    """Write a backup with the file `dump`. The digests of the manifest are computed here."""
    dump.seek(0)
    digests = {_DUMP: hashlib.file_digest(dump, "sha256").hexdigest()}
    if keys is not None:
        digests[_KEYS] = hashlib.sha256(keys).hexdigest()
    document = json.dumps({**asdict(manifest), "sha256": digests}, indent=2).encode()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        _add(archive, _MANIFEST, document)
        if keys is not None:
            _add(archive, _KEYS, keys)
        member = tarfile.TarInfo(_DUMP)
        member.size, member.mode = dump.tell(), 0o600
        dump.seek(0)
        archive.addfile(member, dump)


@contextmanager
def opened_backup(path: Path, scratch: Path) -> Iterator[Backup]:
    """Check a backup, and yield it with its dump in the folder `scratch`.

    Raises:
        BackupDamaged: the file is not a backup, is incomplete, or was changed.
        OSError: the file cannot be read, or the dump cannot be written.
    """
    dump = scratch / _DUMP
    try:
        yield _read(path, dump)
    finally:
        dump.unlink(missing_ok=True)


def _read(path: Path, dump: Path) -> Backup:
    try:
        with tarfile.open(path, mode="r:") as archive:
            manifest = _manifest(path, _content(archive, _MANIFEST).read())
            keys = None
            if _KEYS in manifest.sha256:
                keys = _content(archive, _KEYS).read()
                _check(path, manifest, _KEYS, hashlib.sha256(keys).hexdigest())
            digest = hashlib.sha256()
            with _content(archive, _DUMP) as source, new_private(dump) as target:
                while chunk := source.read(_CHUNK):
                    digest.update(chunk)
                    target.write(chunk)
            _check(path, manifest, _DUMP, digest.hexdigest())
    except (tarfile.TarError, KeyError, EOFError) as error:
        raise BackupDamaged(path, str(error)) from None
    return Backup(manifest, dump, keys)


def _manifest(path: Path, text: bytes) -> BackupManifest:
    try:
        manifest = msgspec.json.decode(text, type=BackupManifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise BackupDamaged(path, f"its {_MANIFEST} cannot be read") from None
    if manifest.format != FORMAT:
        raise BackupDamaged(path, f"it has format {manifest.format}; this version reads format {FORMAT}")
    return manifest


def _content(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    found = archive.extractfile(name)
    if found is None:
        raise KeyError(name)
    return found


def _check(path: Path, manifest: BackupManifest, name: str, digest: str) -> None:
    if manifest.sha256[name] != digest:
        raise BackupDamaged(path, f"{name} was changed")


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o600
    archive.addfile(member, BytesIO(content))
