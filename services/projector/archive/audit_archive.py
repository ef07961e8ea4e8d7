"""Old rows of the audit trail go into signed segments, and leave the read models (ADR 15).

Step by step, each one on the disk before the next begins:

    write     the files of a segment, fsynced, read again and proved; the folder gets its name
    record    the segment: a row of `rm.audit_segments`
    tell      each account, by an event `audit.sealed` that follows from the manifest
    forget    the rows, batch by batch; then the segment is finished

A crash leaves it between two of them. The next run looks which step is the last one that was done, proves the
files again, and goes on from there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chassis.database import Connection
from chassis.runtime.clock import now, rfc3339
from eventlog.integrity import START, Anchor, LogReader, verify_chain
from projector.archive import segment_rows
from projector.archive.manifest import NONE_BEFORE, Manifest, sign_manifest
from projector.archive.segment_files import (
    Segment,
    begin,
    check_files,
    finish,
    folders,
    open_segment,
    write_rows,
)
from projector.archive.segment_rows import LastSegment
from projector.read.api import views
from projector.write.archived_through import segment_name
from projector.write.generations import administration

_encode = msgspec.json.Encoder().encode


class CannotArchive(Exception):
    """What stands in the way, in a sentence; nothing was lost."""


@dataclass(frozen=True, slots=True)
class ArchiveResult:
    """The segments that are sealed now, up to where, and the dead letter that it stopped before."""

    segments: tuple[Segment, ...]
    archived_through: int
    dead_letter: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveOrder:
    """What is to be sealed: all that happened before `until`, at most `size` positions in a segment, into
    folders of `root`; `by` is recorded in the trail.
    """

    until: datetime
    root: Path
    size: int
    by: str


def archive_trail(connection: Connection, order: ArchiveOrder, key: Ed25519PrivateKey) -> ArchiveResult:
    """Seal. The connection is the owner's, in autocommit.

    Raises:
        AnotherAtWork, BeingBuilt: somebody rebuilds or switches read models.
        BrokenSegment, CannotSeal, TrailDiffers: a segment, the log or the audit trail is not as it should be.
    """
    with administration(connection):
        return _Sealing(connection, order, key).run()


class _Sealing:
    def __init__(self, connection: Connection, order: ArchiveOrder, key: Ed25519PrivateKey) -> None:
        self._connection = connection
        self._reader = LogReader(connection)
        self._order = order
        self._key = key

    def run(self) -> ArchiveResult:
        past, done = segment_rows.last_segment(self._connection), []
        if past is not None and not past.finished:
            interrupted = self._interrupted(past)
            self._record_and_delete(interrupted)
            done.append(interrupted)
        cut = segment_rows.archivable(self._connection, self._order.until)
        while (segment := self._written(past, cut.position)) is not None:
            manifest = segment.manifest
            segment_rows.record_segment(self._connection, manifest, segment.digest)
            self._record_and_delete(segment)
            past = LastSegment(manifest.first_position, manifest.last_position, segment.digest, finished=True)
            done.append(segment)
        return ArchiveResult(tuple(done), past.last if past else 0, cut.dead_letter)

    def _record_and_delete(self, segment: Segment) -> None:
        for file in filter(lambda file: file.news, segment.manifest.files):
            segment_rows.record_in_log(self._connection, segment.manifest, segment.digest, file)
        segment_rows.delete_rows(self._connection, segment.manifest.last_position)
        segment_rows.mark_finished(self._connection, segment.manifest.last_position)

    def _interrupted(self, past: LastSegment) -> Segment:
        """The segment that was recorded, and whose rows may still be there."""
        name = segment_name(past.first, past.last)
        folder = self._order.root / name
        if not folder.exists():
            raise CannotArchive(
                f"segment {name} was begun, and is not in {self._order.root}: name the folder that has it"
            )
        segment = self._proved(folder)
        if segment.digest != past.digest:
            raise CannotArchive(f"{folder} is not the segment that was sealed")
        return segment

    def _written(self, past: LastSegment | None, end: int) -> Segment | None:
        """The next segment, on the disk and proved; `None` where nothing is left to seal."""
        before = self._reader.anchor_at(past.last) if past else START
        previous = past.digest if past else NONE_BEFORE
        found = self._left_behind(before, previous)
        if found is not None:
            return found
        last = min(end, before.position + self._order.size)
        if last <= before.position:
            return None
        anchor = self._verified(before, last)
        self._order.root.mkdir(parents=True, exist_ok=True)
        folder = begin(self._order.root, segment_name(before.position + 1, last))
        parts = segment_rows.accounts(self._connection, before.position, last)
        lacking = segment_rows.missing_positions(self._connection, before.position, last)
        files = [
            write_rows(
                folder, part.account_id, self._lines(part.account_id, before.position, last), news=part.news
            )
            for part in parts
        ]
        manifest = Manifest(
            first_position=before.position + 1,
            last_position=last,
            rows=sum(file.rows for file in files),
            lacking=tuple(lacking),
            earliest=rfc3339(min(part.earliest for part in parts)) if parts else None,
            latest=rfc3339(max(part.latest for part in parts)) if parts else None,
            log_before=before.hash.hex(),
            log_last=anchor.hash.hex(),
            previous=previous.hex(),
            files=tuple(files),
            sealed_at=rfc3339(now()),
            sealed_by=self._order.by,
        )
        return self._proved(finish(folder, sign_manifest(manifest, self._key)))

    def _left_behind(self, before: Anchor, previous: bytes) -> Segment | None:
        """A segment that was written, and for which a crash kept it from being recorded."""
        for folder in folders(self._order.root):
            if not folder.name.startswith(f"{before.position + 1:012d}-"):
                continue
            segment = self._proved(folder)
            manifest = segment.manifest
            here = self._reader.anchor_at(manifest.last_position)
            if (manifest.previous, manifest.log_before, manifest.log_last) != (
                previous.hex(),
                before.hash.hex(),
                here.hash.hex(),
            ):
                raise CannotArchive(f"{folder} is of another log: name another folder")
            return segment
        return None

    def _verified(self, before: Anchor, last: int) -> Anchor:
        """Where the segment ends, in a log that is whole in between."""
        with self._connection.transaction():
            links = self._reader.links(before.position)
            found = verify_chain(takewhile(lambda link: link.position <= last, links), start=before)
        if found.fault is not None or found.end.position != last:
            where = found.fault.position if found.fault else found.end.position
            raise CannotArchive(f"the log is broken at position {where}: see `regcred log verify`")
        return found.end

    def _lines(self, account_id: str, after: int, last: int) -> Iterator[bytes]:
        for row in segment_rows.rows(self._connection, account_id, after, last):
            yield _encode(views.audit_event(row)) + b"\n"

    def _proved(self, folder: Path) -> Segment:
        segment = open_segment(folder, self._key.public_key())
        check_files(segment)
        return segment
