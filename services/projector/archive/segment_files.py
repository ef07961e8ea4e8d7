"""Sealed segments as folders of files, which can be proved and read anywhere, with no database (ADR 15).

    <root>/000000000001-000000048213/manifest.json
                                     acme.ndjson.gz     the account's rows, as the API gave them, a line each
                                     globex.ndjson.gz

A folder has its name only once it is complete and on the disk; before, it ends in `.partial`.
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
_LEVEL = 6  # of gzip: 9, its default, takes three times as long for a hundredth less


class _Row(msgspec.Struct):
    """What is looked at in every line; it has more."""

    position: int
    account_id: str


_decode = msgspec.json.Decoder(_Row).decode


@dataclass(frozen=True, slots=True)
class Segment:
    """A folder whose manifest was found to be signed; its files are looked at by `check_files`."""

    folder: Path
    manifest: Manifest
    digest: bytes

    @property
    def name(self) -> str:
        return self.folder.name

    def file_of(self, account_id: str) -> SegmentFile | None:
        return next((file for file in self.manifest.files if file.account_id == account_id), None)


class _Hashing:
    """A file that only takes: it counts and hashes what goes in."""

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
    """An empty folder to write a segment's files into. What a crash left there is gone."""
    folder = root / (name + PARTIAL)
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder


def write_rows(folder: Path, account_id: str, lines: Iterable[bytes], *, news: int) -> SegmentFile:
    """One account's file, on the disk when this returns. Each line ends in its line feed."""
    path, rows = folder / file_name(account_id), 0
    with path.open("xb") as file:
        hashing = _Hashing(file)
        with gzip.GzipFile("", "wb", _LEVEL, hashing, mtime=0) as compressed:
            for line in lines:
                compressed.write(line)
                rows += 1
        _to_disk(file)
    return SegmentFile(
        account_id=account_id,
        rows=rows,
        news=news,
        bytes=hashing.size,
        sha256=hashing.digest.hexdigest(),
    )


def finish(folder: Path, manifest: Manifest) -> Path:
    """Write the manifest, and give the folder its name; both are on the disk when this returns."""
    with (folder / MANIFEST).open("xb") as file:
        file.write(manifest.encoded())
        _to_disk(file)
    _folder_to_disk(folder)
    final = folder.with_name(manifest.name)
    folder.rename(final)
    _folder_to_disk(final.parent)
    return final


def open_segment(folder: Path, key: Ed25519PublicKey) -> Segment:
    """Raises `BrokenSegment`, `OSError`."""
    where = f"{folder.name}/{MANIFEST}"
    try:
        document = (folder / MANIFEST).read_bytes()
    except FileNotFoundError:
        raise BrokenSegment(where, "it is not there") from None
    manifest = open_manifest(document, key, where=where)
    if manifest.name != folder.name:
        raise BrokenSegment(folder.name, f"the folder of segment {manifest.name} has another name")
    return Segment(folder, manifest, digest_of(document))


def folders(root: Path) -> list[Path]:
    """The segments that lie in a folder, in the order of their positions."""
    return sorted(path.parent for path in root.glob(f"*-*/{MANIFEST}") if path.parent.suffix != PARTIAL)


def check_files(segment: Segment, *, erased: AbstractSet[str] = frozenset()) -> None:
    """That every file is byte for byte what was sealed, and holds what the manifest says. The files of
    `erased` accounts may be gone.

    Raises:
        BrokenSegment, OSError.
    """
    manifest = segment.manifest
    names = {file.name for file in manifest.files} | {MANIFEST}
    for path in segment.folder.iterdir():
        if path.name not in names:
            raise BrokenSegment(f"{segment.name}/{path.name}", "it was not sealed, and lies there")
    for file in manifest.files:
        if file.account_id not in erased or (segment.folder / file.name).exists():
            _check_file(segment, file)
    rows, positions = sum(file.rows for file in manifest.files), manifest.last_position + 1
    if rows != manifest.rows or rows + len(manifest.lacking) != positions - manifest.first_position:
        raise BrokenSegment(segment.name, "it has not as many rows as positions")


def check_chain(segments: Sequence[Segment]) -> None:
    """That each segment is the one behind the other.

    Raises:
        BrokenSegment.
    """
    for before, after in pairwise(segments):
        follows(before.manifest, before.digest, after.manifest, where=after.name)


def lines_of(segment: Segment, file: SegmentFile) -> Iterator[bytes]:
    """The rows of a file, once its bytes are found to be those that were sealed.

    Raises:
        BrokenSegment, OSError.
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
            raise BrokenSegment(where, f"its row of position {row.position} does not belong there")
        position, rows = row.position, rows + 1
    if rows != file.rows:
        raise BrokenSegment(where, f"it has {rows} rows, {file.rows} were sealed")


def _check_bytes(segment: Segment, file: SegmentFile) -> None:
    where, path = f"{segment.name}/{file.name}", segment.folder / file.name
    try:
        with path.open("rb") as opened:
            size, digest = path.stat().st_size, file_digest(opened, "sha256").hexdigest()
    except FileNotFoundError:
        raise BrokenSegment(where, "it is not there") from None
    if (size, digest) != (file.bytes, file.sha256):
        raise BrokenSegment(where, "it is not, byte for byte, what was sealed")


def _to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _folder_to_disk(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
