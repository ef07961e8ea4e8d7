"""The work of `regcred audit segments`: list, verify and read segments of the audit trail (ADR 15)."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click
import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from chassis.settings.environment import Settings
from contracts.audit_events import AuditFilters
from eventlog.integrity import LogReader, NoSuchPosition, load_public
from operations.audit.segment_filter import matches, may_match
from operations.command_errors import CheckInconclusive, OperationRefused
from operations.log.database import log_database
from operations.log.maintenance import public_key_file, reported_errors
from projector.archive.manifest import BrokenSegment
from projector.archive.segment_files import (
    MANIFEST,
    Segment,
    check_chain,
    check_files,
    folders,
    lines_of,
    open_segment,
)
from projector.archive.segment_rows import known_segments
from projector.read.api.spreadsheet import csv_lines
from projector.write.archived_segments import segment_name

Form = Literal["ndjson", "csv", "json"]

HEADERS = ("SEGMENT", "ROWS", "ACCOUNTS", "FROM", "TO", "ARCHIVED", "BY")


@dataclass(frozen=True, slots=True)
class ListedSegment:
    segment: Segment

    def as_row(self) -> tuple[object, ...]:
        manifest = self.segment.manifest
        return (
            manifest.name,
            manifest.rows,
            len(manifest.files),
            manifest.earliest,
            manifest.latest,
            manifest.sealed_at,
            manifest.sealed_by,
        )

    def as_document(self) -> dict[str, object]:
        manifest = self.segment.manifest
        return {
            "name": manifest.name,
            "first_position": manifest.first_position,
            "last_position": manifest.last_position,
            "rows": manifest.rows,
            "accounts": [file.account_id for file in manifest.files],
            "earliest": manifest.earliest,
            "latest": manifest.latest,
            "sealed_at": manifest.sealed_at,
            "sealed_by": manifest.sealed_by,
            "manifest_hash": self.segment.digest.hex(),
        }


@dataclass(frozen=True, slots=True)
class SegmentsReport:
    """The result of `regcred audit segments verify`."""

    segments: Sequence[Segment]
    with_log: bool
    broken: str | None = None

    @property
    def intact(self) -> bool:
        return self.broken is None

    def as_json(self) -> str:
        document: dict[str, object] = {"intact": self.intact, "broken": self.broken}
        if self.segments:
            first, last = self.segments[0].manifest, self.segments[-1].manifest
            document |= {
                "segments": len(self.segments),
                "first_position": first.first_position,
                "last_position": last.last_position,
                "rows": sum(segment.manifest.rows for segment in self.segments),
                "log_hash": last.log_last,
                "manifest_hash": self.segments[-1].digest.hex(),
                "key_id": last.key_id,
            }
        return json.dumps(document, indent=2)

    def as_text(self) -> str:
        if self.broken is not None:
            return f"broken: {self.broken}"
        if not self.segments:
            return "intact: nothing is archived"
        first, last = self.segments[0].manifest, self.segments[-1].manifest
        rows = sum(segment.manifest.rows for segment in self.segments)
        span = f"positions {first.first_position} to {last.last_position} of the log"
        lines = [
            f"intact: {len(self.segments):,} segments, {rows:,} rows, {span}",
            f"as signed by {last.key_id}",
        ]
        if self.with_log:
            lines.append("the hashes of the log match, and the database has no other segment")
        return "\n".join(lines)


def listed(folder: Path, public_key: Path | None, key_file: Path | None) -> list[ListedSegment]:
    """Return the segments in a folder. Their files are not checked."""
    with _broken(), reported_errors():
        return [ListedSegment(segment) for segment in _segments(folder, _key(public_key, key_file))]


def verify(
    folder: Path,
    public_key: Path | None,
    key_file: Path | None,
    *,
    erased: AbstractSet[str],
    with_log: bool,
) -> SegmentsReport:
    """Verify every byte of the segments in a folder, and that each segment follows the previous one."""
    with reported_errors():
        key = _key(public_key, key_file)
        try:
            segments = _segments(folder, key, empty=with_log)
            check_chain(segments)
            for segment in segments:
                check_files(segment, erased=erased)
            if with_log:
                _check_log(segments)
        except BrokenSegment as error:
            return SegmentsReport((), with_log, str(error))
        return SegmentsReport(segments, with_log)


def show(
    folder: Path,
    account_id: str,
    filters: AuditFilters,
    public_key: Path | None,
    key_file: Path | None,
    *,
    form: Form,
) -> None:
    """Print the rows of an account that match the filters, in constant memory."""
    with _broken(), reported_errors():
        segments = _segments(folder, _key(public_key, key_file))
        check_chain(segments)
        lines = _matching(segments, account_id, filters)
        for text in _as(form, lines):
            click.echo(text, nl=False)


def _as(form: Form, lines: Iterator[bytes]) -> Iterator[str | bytes]:
    match form:
        case "ndjson":
            yield from lines
        case "csv":
            yield from csv_lines(json.loads(line) for line in lines)
        case "json":
            yield '{"items": ['
            for number, line in enumerate(lines):
                yield (b",\n" if number else b"\n") + line.rstrip()
            yield "]}\n"


def _matching(segments: Iterable[Segment], account_id: str, filters: AuditFilters) -> Iterator[bytes]:
    for segment in segments:
        file = segment.file_of(account_id)
        if file is not None and may_match(segment.manifest, filters):
            yield from (line for line in lines_of(segment, file) if matches(line, filters))


def _segments(folder: Path, key: Ed25519PublicKey, *, empty: bool = False) -> list[Segment]:
    """Return the segments in a folder, which may itself be a segment. `empty`: there may be none."""
    found = [folder] if (folder / MANIFEST).exists() else folders(folder)
    if not found and not empty:
        raise CheckInconclusive(f"there is no segment in {folder}")
    return [open_segment(path.absolute(), key) for path in found]


def _check_log(segments: Sequence[Segment]) -> None:
    """Compare the segments with the log: the signed hashes must match, and no other segment may be recorded.

    Raises:
        BrokenSegment: they differ.
    """
    settings = Settings.from_environment(os.environ)
    with (
        log_database(settings) as url,
        psycopg.connect(url, autocommit=True, connect_timeout=5) as connection,
    ):
        reader = LogReader(connection)
        for segment in segments:
            manifest = segment.manifest
            for position, expected in (
                (manifest.first_position - 1, manifest.log_before),
                (manifest.last_position, manifest.log_last),
            ):
                try:
                    here = reader.anchor_at(position).hash.hex()
                except NoSuchPosition:
                    here = None
                if here != expected:
                    raise BrokenSegment(segment.name, f"the log has another hash at position {position}")
        present = {
            (segment.manifest.first_position, segment.manifest.last_position): segment.digest
            for segment in segments
        }
        known = known_segments(connection)
    for (first, last), digest in known.items():
        if present.get((first, last)) != digest:
            raise BrokenSegment(segment_name(first, last), "it is recorded in the database and missing here")
    for first, last in present.keys() - known.keys():
        raise BrokenSegment(segment_name(first, last), "it is here and not recorded in the database")


def _key(public_key: Path | None, key_file: Path | None) -> Ed25519PublicKey:
    return load_public(public_key or public_key_file(key_file))


@contextmanager
def _broken() -> Iterator[None]:
    """Turn a broken segment into a message and exit code 1."""
    try:
        yield
    except BrokenSegment as error:
        raise OperationRefused(f"broken: {error}") from None
