"""Move old rows of the audit trail from the read models to signed segments (ADR 15).

A segment takes four steps. Each one is on the disk before the next begins:

    write     write and fsync the files, name the folder, read the files again and verify them
    record    insert the segment into `rm.audit_segments`
    report    append an event `audit.sealed` for each account; its content is derived from the manifest
    delete    delete the rows in batches, then mark the segment as finished

After a crash, the next run determines the last completed step, verifies the files again, and continues.
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
from projector.write.archived_segments import segment_name
from projector.write.generations import administration

_encode = msgspec.json.Encoder().encode


class CannotArchive(Exception):
    """The audit trail cannot be archived. The message is the reason. No rows were lost."""


@dataclass(frozen=True, slots=True)
class ArchiveResult:
    """The result of a run.

    `segments` are those that it archived, and `archived_through` is the last position in any segment.
    `dead_letter` is the position of the dead letter before which it stopped, if any.
    """

    segments: tuple[Segment, ...]
    archived_through: int
    dead_letter: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveOrder:
    """What to archive: all events before `until`, at most `size` positions in a segment.

    Segments are folders in `root`. The audit trail records `by` as the actor.
    """

    until: datetime
    root: Path
    size: int
    by: str


def archive_audit_trail(connection: Connection, order: ArchiveOrder, key: Ed25519PrivateKey) -> ArchiveResult:
    """Archive the audit trail. The connection is of the owner of the database, in autocommit.

    Raises:
        AdministrationInProgress, GenerationBeingBuilt: a rebuild or switch is running or unfinished.
        BrokenSegment, CannotArchive, AuditTrailDiffers: a segment, the log or the audit trail is faulty.
    """
    with administration(connection):
        return _ArchiveRun(connection, order, key).run()


class _ArchiveRun:
    def __init__(self, connection: Connection, order: ArchiveOrder, key: Ed25519PrivateKey) -> None:
        self._connection = connection
        self._reader = LogReader(connection)
        self._order = order
        self._key = key

    def run(self) -> ArchiveResult:
        past, done = segment_rows.last_segment(self._connection), []
        if past is not None and not past.finished:
            unfinished = self._unfinished_segment(past)
            self._report_and_delete(unfinished)
            done.append(unfinished)
        cut = segment_rows.archivable(self._connection, self._order.until)
        while (segment := self._next_segment(past, cut.position)) is not None:
            manifest = segment.manifest
            segment_rows.record_segment(self._connection, manifest, segment.digest)
            self._report_and_delete(segment)
            past = LastSegment(manifest.first_position, manifest.last_position, segment.digest, finished=True)
            done.append(segment)
        return ArchiveResult(tuple(done), past.last if past else 0, cut.dead_letter)

    def _report_and_delete(self, segment: Segment) -> None:
        for file in filter(lambda file: file.news, segment.manifest.files):
            segment_rows.record_in_log(self._connection, segment.manifest, segment.digest, file)
        segment_rows.delete_rows(self._connection, segment.manifest.last_position)
        segment_rows.mark_finished(self._connection, segment.manifest.last_position)

    def _unfinished_segment(self, past: LastSegment) -> Segment:
        """The segment that an earlier run recorded, but whose rows it may not have deleted."""
        name = segment_name(past.first, past.last)
        folder = self._order.root / name
        if not folder.exists():
            raise CannotArchive(
                f"segment {name} is unfinished and not in {self._order.root}: specify the folder that has it"
            )
        segment = self._verified_segment(folder)
        if segment.digest != past.digest:
            raise CannotArchive(f"{folder} is not the segment that was archived")
        return segment

    def _next_segment(self, past: LastSegment | None, end: int) -> Segment | None:
        """The next segment, written and verified; `None` if there is nothing left to archive up to `end`."""
        before = self._reader.anchor_at(past.last) if past else START
        previous = past.digest if past else NONE_BEFORE
        found = self._unrecorded_segment(before, previous)
        if found is not None:
            return found
        last = min(end, before.position + self._order.size)
        if last <= before.position:
            return None
        anchor = self._verified_anchor(before, last)
        self._order.root.mkdir(parents=True, exist_ok=True)
        folder = begin(self._order.root, segment_name(before.position + 1, last))
        parts = segment_rows.accounts(self._connection, before.position, last)
        missing = segment_rows.missing_positions(self._connection, before.position, last)
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
            lacking=tuple(missing),
            earliest=rfc3339(min(part.earliest for part in parts)) if parts else None,
            latest=rfc3339(max(part.latest for part in parts)) if parts else None,
            log_before=before.hash.hex(),
            log_last=anchor.hash.hex(),
            previous=previous.hex(),
            files=tuple(files),
            sealed_at=rfc3339(now()),
            sealed_by=self._order.by,
        )
        return self._verified_segment(finish(folder, sign_manifest(manifest, self._key)))

    def _unrecorded_segment(self, before: Anchor, previous: bytes) -> Segment | None:
        """The next segment, if an earlier run wrote it and did not record it because of a crash."""
        for folder in folders(self._order.root):
            if not folder.name.startswith(f"{before.position + 1:012d}-"):
                continue
            segment = self._verified_segment(folder)
            manifest = segment.manifest
            last = self._reader.anchor_at(manifest.last_position)
            if (manifest.previous, manifest.log_before, manifest.log_last) != (
                previous.hex(),
                before.hash.hex(),
                last.hash.hex(),
            ):
                raise CannotArchive(f"{folder} is from another log: specify another folder")
            return segment
        return None

    def _verified_anchor(self, before: Anchor, last: int) -> Anchor:
        """The anchor at the position `last`, after the hash chain from `before` was verified."""
        with self._connection.transaction():
            links = self._reader.links(before.position)
            found = verify_chain(takewhile(lambda link: link.position <= last, links), start=before)
        if found.fault is not None or found.end.position != last:
            where = found.fault.position if found.fault else found.end.position
            raise CannotArchive(f"the log is broken at position {where}: run `regcred log verify`")
        return found.end

    def _lines(self, account_id: str, after: int, last: int) -> Iterator[bytes]:
        for row in segment_rows.rows(self._connection, account_id, after, last):
            yield _encode(views.audit_event(row)) + b"\n"

    def _verified_segment(self, folder: Path) -> Segment:
        segment = open_segment(folder, self._key.public_key())
        check_files(segment)
        return segment
