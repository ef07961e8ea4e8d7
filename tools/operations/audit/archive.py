"""The work and the output of `regcred audit seal`."""

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import psycopg

from chassis.database import server_time
from chassis.settings.environment import Settings
from eventlog.integrity import load_private
from operations.command_errors import CheckInconclusive, refused
from operations.log.database import log_database
from operations.log.maintenance import reported_errors
from projector.archive import audit_archive
from projector.archive.audit_archive import ArchiveOrder, ArchiveResult, CannotArchive
from projector.archive.manifest import BrokenSegment
from projector.archive.segment_rows import AuditTrailDiffers, GenerationBeingBuilt
from projector.write.generations import AdministrationInProgress


def archive_audit_trail(order_at: Callable[[datetime], ArchiveOrder], key_file: Path | None) -> ArchiveResult:
    """Archive old rows. An obstacle becomes a message and exit code 2 (`CheckInconclusive`).

    `order_at` gets the time of the database.
    """
    refusals = (
        AdministrationInProgress,
        GenerationBeingBuilt,
        BrokenSegment,
        CannotArchive,
        AuditTrailDiffers,
    )
    with reported_errors(), refused(*refusals, refusal=CheckInconclusive):
        settings = Settings.from_environment(os.environ)
        key = load_private(key_file or settings.home / "log-key.pem")
        with (
            log_database(settings) as url,
            psycopg.connect(
                url, autocommit=True, connect_timeout=5, application_name="regcred:seal"
            ) as connection,
        ):
            return audit_archive.archive_audit_trail(connection, order_at(server_time(connection)), key)


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
        f"archived {segment.name}: {segment.manifest.rows:,} rows, {len(segment.manifest.files):,} accounts"
        for segment in done.segments
    ] or ["there are no further rows of that age"]
    if done.dead_letter is not None:
        letter = f"position {done.dead_letter}, which is a dead letter"
        lines.append(f"stopped before {letter}: see `regcred deadletters`")
    lines.append(f"the read models start after position {done.archived_through}")
    return "\n".join(lines)
