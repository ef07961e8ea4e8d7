"""What `regcred audit seal` does and prints."""

import os
from pathlib import Path

import psycopg

from chassis.settings.environment import Settings
from eventlog.integrity import load_private
from operations.command_errors import CheckInconclusive, refused
from operations.log.database import log_database
from operations.log.maintenance import reported_errors
from projector.archive import audit_archive
from projector.archive.audit_archive import ArchiveOrder, ArchiveResult, CannotArchive
from projector.archive.manifest import BrokenSegment
from projector.archive.segment_rows import GenerationBeingBuilt, TrailDiffers
from projector.write.generations import AnotherAtWork


def archive_trail(order: ArchiveOrder, key_file: Path | None) -> ArchiveResult:
    """Seal; what is in the way becomes a sentence and exit code 2 (`CheckInconclusive`)."""
    refusals = (AnotherAtWork, GenerationBeingBuilt, BrokenSegment, CannotArchive, TrailDiffers)
    with reported_errors(), refused(*refusals, refusal=CheckInconclusive):
        settings = Settings.from_environment(os.environ)
        key = load_private(key_file or settings.home / "log-key.pem")
        with (
            log_database(settings) as url,
            psycopg.connect(url, autocommit=True, application_name="regcred:seal") as connection,
        ):
            return audit_archive.archive_trail(connection, order, key)


def as_document(done: ArchiveResult) -> dict[str, object]:
    return {
        "horizon": done.archived_through,
        "parked": done.dead_letter,
        "segments": [
            {"name": segment.name, "rows": segment.manifest.rows, "accounts": len(segment.manifest.files)}
            for segment in done.segments
        ],
    }


def as_text(done: ArchiveResult) -> str:
    lines = [
        f"sealed {segment.name}: {segment.manifest.rows:,} rows, {len(segment.manifest.files):,} accounts"
        for segment in done.segments
    ] or ["nothing that is not sealed is that old"]
    if done.dead_letter is not None:
        letter = f"position {done.dead_letter}, which is a dead letter"
        lines.append(f"stopped before {letter}: see `regcred deadletters`")
    lines.append(f"the read models begin behind position {done.archived_through}")
    return "\n".join(lines)
