"""Segments as folders of files, which can be verified and read without a database (ADR 15).

    <root>/000000000001-000000048213/manifest.json
                                     acme.ndjson.gz
                                     globex.ndjson.gz

The file of an account has its rows in the form of the API, one in each line.

The name of a folder ends in `.partial` until all its files are complete and flushed to the disk.
"""

import gzip
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from hashlib import file_digest, sha256
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from projector.archive.manifest import (
    BrokenSegment,
    Manifest,
    SegmentFile,
    digest_of,
    file_name,
    follows,
    open_manifest,
)

MANIFEST = "manifest.json"
PARTIAL = ".partial"
_LEVEL = 6  # of gzip: 9, the default, takes three times as long for files that are 1 % smaller


class _Row(msgspec.Struct):
    """The fields of a line that are verified. A line has more fields."""

    position: int
    account_id: str


_decode = msgspec.json.Decoder(_Row).decode


@dataclass(frozen=True, slots=True)
class Segment:
    """A folder whose manifest was verified. `check_files` verifies its other files."""

    folder: Path
    manifest: Manifest
    digest: bytes

    @property
    def name(self) -> str:
        return self.folder.name

    def file_of(self, account_id: str) -> SegmentFile | None:
        return next((file for file in self.manifest.files if file.account_id == account_id), None)


class _Hashing:
    """A write-only file that counts and hashes its bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = 0
        self.digest = sha256()

    def write(self, data: bytes) -> int:
        self.size += len(data)
        self.digest.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


def begin(root: Path, name: str) -> Path:
    """Create an empty folder for the files of a segment, and delete what a crash left there."""
    folder = root / (name + PARTIAL)
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder


def write_rows(folder: Path, account_id: str, lines: Iterable[bytes], *, news: int) -> SegmentFile:
    """Write the file of an account and flush it to the disk. Each line ends in a line feed."""
    path, rows = folder / file_name(account_id), 0
    with path.open("xb") as file:
        hashing = _Hashing(file)
        with gzip.GzipFile("", "wb", _LEVEL, hashing, mtime=0) as compressed:
            for line in lines:
                compressed.write(line)
                rows += 1
        _flush(file)
    return SegmentFile(
        account_id=account_id,
        rows=rows,
        news=news,
        bytes=hashing.size,
        sha256=hashing.digest.hexdigest(),
    )


def finish(folder: Path, manifest: Manifest) -> Path:
    """Write the manifest and rename the folder to its final name. Both are flushed to the disk."""
    with (folder / MANIFEST).open("xb") as file:
        file.write(manifest.encoded())
        _flush(file)
    _flush_folder(folder)
    final = folder.with_name(manifest.name)
    folder.rename(final)
    _flush_folder(final.parent)
    return final


def open_segment(folder: Path, key: Ed25519PublicKey) -> Segment:
    """Verify the manifest of a segment. Raises `BrokenSegment`, `OSError`."""
    where = f"{folder.name}/{MANIFEST}"
    try:
        document = (folder / MANIFEST).read_bytes()
    except FileNotFoundError:
        raise BrokenSegment(where, "it is missing") from None
    manifest = open_manifest(document, key, where=where)
    if manifest.name != folder.name:
        raise BrokenSegment(folder.name, f"this is the folder of segment {manifest.name}, under another name")
    return Segment(folder, manifest, digest_of(document))


def folders(root: Path) -> list[Path]:
    """The folders of complete segments in `root`, in the order of their positions."""
    return sorted(path.parent for path in root.glob(f"*-*/{MANIFEST}") if path.parent.suffix != PARTIAL)


def check_files(segment: Segment, *, erased: AbstractSet[str] = frozenset()) -> None:
    """Check that every file is byte for byte the archived one, and contains the rows of the manifest.

    Files of `erased` accounts may be missing.

    Raises:
        BrokenSegment: a file was changed, added or removed.
        OSError: a file cannot be read.
    """
    manifest = segment.manifest
    names = {file.name for file in manifest.files} | {MANIFEST}
    for path in segment.folder.iterdir():
        if path.name not in names:
            raise BrokenSegment(f"{segment.name}/{path.name}", "it is not a file of this segment")
    for file in manifest.files:
        if file.account_id not in erased or (segment.folder / file.name).exists():
            _check_file(segment, file)
    rows, positions = sum(file.rows for file in manifest.files), manifest.last_position + 1
    if rows != manifest.rows or rows + len(manifest.lacking) != positions - manifest.first_position:
        raise BrokenSegment(segment.name, "the number of its rows does not fit its positions")


def check_chain(segments: Sequence[Segment]) -> None:
    """Check that each segment follows the one before it.

    Raises:
        BrokenSegment: one does not follow.
    """
    for before, after in pairwise(segments):
        follows(before.manifest, before.digest, after.manifest, where=after.name)


def lines_of(segment: Segment, file: SegmentFile) -> Iterator[bytes]:
    """Verify the bytes of a file, then return its rows.

    Raises:
        BrokenSegment: the file was changed or is missing.
        OSError: the file cannot be read.
    """
    _check_bytes(segment, file)
    with gzip.open(segment.folder / file.name, "rb") as lines:
        yield from lines


def _check_file(segment: Segment, file: SegmentFile) -> None:
    manifest, where = segment.manifest, f"{segment.name}/{file.name}"
    position, rows = manifest.first_position - 1, 0
    for line in lines_of(segment, file):
        row = _decode(line)
        if row.account_id != file.account_id or not position < row.position <= manifest.last_position:
            raise BrokenSegment(where, f"its row of position {row.position} does not belong to this file")
        position, rows = row.position, rows + 1
    if rows != file.rows:
        raise BrokenSegment(where, f"it has {rows} rows, but {file.rows} were archived")


def _check_bytes(segment: Segment, file: SegmentFile) -> None:
    where, path = f"{segment.name}/{file.name}", segment.folder / file.name
    try:
        with path.open("rb") as opened:
            size, digest = path.stat().st_size, file_digest(opened, "sha256").hexdigest()
    except FileNotFoundError:
        raise BrokenSegment(where, "it is missing") from None
    if (size, digest) != (file.bytes, file.sha256):
        raise BrokenSegment(where, "it is not byte for byte the archived file")


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
