"""Select, record and delete the rows of the audit trail that a segment archives (ADR 15).

The connection is of the owner of the database, in autocommit. The caller excludes rebuilds and switches
(`generations.administration`), so that rows up to the checkpoint of the live generation do not change.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID, uuid5

from psycopg import sql
from psycopg.rows import dict_row

from chassis.database import Connection, scalar
from contracts.audit_events import AuditSealed
from contracts.streams import audit_stream
from eventlog.events import Actor, Metadata, NewEvent
from eventlog.storage import append_request
from projector.archive.manifest import Manifest, SegmentFile
from projector.read.selection import Row
from projector.write.batch_writer import lock_number
from projector.write.generations import consumer_of, generations
from projector.write.projections.audit_index import SPAN

# Positions whose rows are deleted in one transaction. While it runs, new events get no positions (ADR 2).
BATCH = 5000
SEALED = "audit.sealed"
_SEAL_IDS = UUID("0d6ec8d6-2a55-5c1b-9f0e-5f6a3f6f7f15")  # namespace of derived ids; never changes

_FIRST_AFTER = """
SELECT min(position) FROM rm.audit_events
WHERE time >= %s AND position >= (SELECT min(s.span) * {} FROM rm.audit_spans s WHERE s.latest >= %s)
"""
_DIFFERING = """
SELECT l.position, a.position IS NULL
FROM es.log l
LEFT JOIN es.events e ON e.stream_id = l.stream_id AND e.version = l.version
LEFT JOIN rm.audit_events a ON a.position = l.position
WHERE l.position > %s AND l.position <= %s AND a.event_id IS DISTINCT FROM e.event_id
ORDER BY l.position
"""
_ACCOUNTS = """
SELECT account_id, count(*), count(*) FILTER (WHERE action <> %s), min(time), max(time) FROM rm.audit_events
WHERE position > %s AND position <= %s GROUP BY account_id ORDER BY account_id
"""
_ROWS = """
SELECT * FROM rm.audit_events WHERE account_id = %s AND position > %s AND position <= %s ORDER BY position
"""
_RECORD_SEGMENT = """
INSERT INTO rm.audit_segments
    (first_position, last_position, row_count, earliest, latest, manifest, archived_at)
VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
_APPEND = "SELECT * FROM es.append('audit', %s)"
# The images of a row, as `projections.audit_index` derives them. The rows are found by their complete key.
_DELETE_IMAGES = """
DELETE FROM {schema}.audit_images i USING (
    SELECT a.account_id, a.position, unnest(CASE WHEN jsonb_typeof(a.after -> 'images') = 'array'
        THEN ARRAY(SELECT jsonb_array_elements_text(a.after -> 'images')) ELSE ARRAY[a.image] END) AS image
    FROM {schema}.audit_events a WHERE a.position > %s AND a.position <= %s
) archived
WHERE (i.account_id, i.image, i.position) = (archived.account_id, archived.image, archived.position)
"""
_DELETE_EVENTS = "DELETE FROM {schema}.audit_events WHERE position > %s AND position <= %s"
_DELETE_SPANS = "DELETE FROM {schema}.audit_spans WHERE (span + 1) * {span} <= %s + 1"


class AuditTrailDiffers(Exception):
    """A row of the audit trail has the id of another event than the log at its position."""

    def __init__(self, position: int) -> None:
        super().__init__(
            f"the audit trail and the log have different events at position {position}; it was not archived"
        )


class GenerationBeingBuilt(Exception):
    """A generation is being built. It is not known which rows of the audit trail it has."""

    def __init__(self, generation: int) -> None:
        super().__init__(
            f"generation {generation} is being built: run `regcred projections rebuild --resume`, or drop it"
        )


@dataclass(frozen=True, slots=True)
class LastSegment:
    """The last segment in `rm.audit_segments`, with its positions and the digest of its manifest."""

    first: int
    last: int
    digest: bytes
    finished: bool


@dataclass(frozen=True, slots=True)
class Archivable:
    """Rows up to `position` can be archived. `dead_letter` is the position of the dead letter after it."""

    position: int
    dead_letter: int | None


@dataclass(frozen=True, slots=True)
class AccountRows:
    """The rows of an account in a range.

    `news` is their number without those of `audit.sealed`. `earliest` and `latest` are times.
    """

    account_id: str
    rows: int
    news: int
    earliest: datetime
    latest: datetime


def last_segment(connection: Connection) -> LastSegment | None:
    row = connection.execute(
        "SELECT first_position, last_position, manifest, finished FROM rm.audit_segments"
        " ORDER BY last_position DESC LIMIT 1"
    ).fetchone()
    return LastSegment(row[0], row[1], bytes(row[2]), row[3]) if row else None


def known_segments(connection: Connection) -> dict[tuple[int, int], bytes]:
    """The digests of all manifests, by first and last position."""
    rows = connection.execute(
        "SELECT first_position, last_position, manifest FROM rm.audit_segments ORDER BY last_position"
    ).fetchall()
    return {(first, last): bytes(digest) for first, last, digest in rows}


def archivable(connection: Connection, until: datetime) -> Archivable:
    """The position before the first event at or after `until`, or before the first dead letter.

    The row of a dead letter changes when it is redriven.

    Raises:
        GenerationBeingBuilt.
    """
    found = generations(connection)
    for generation in found:
        if generation.status == "building":
            raise GenerationBeingBuilt(generation.generation)
    [live] = [generation for generation in found if generation.status == "live"]
    first_after = scalar(connection, sql.SQL(_FIRST_AFTER).format(sql.Literal(SPAN)), (until, until))
    end = live.position if first_after is None else first_after - 1
    dead_letter = scalar(
        connection,
        sql.SQL("SELECT min(position) FROM es.dead_letters WHERE consumer = %s"),
        (consumer_of(live.generation),),
    )
    return (
        Archivable(end, None)
        if dead_letter is None or dead_letter > end
        else Archivable(dead_letter - 1, dead_letter)
    )


def missing_positions(connection: Connection, after: int, last: int) -> list[int]:
    """The positions of a range that have no row in the audit trail.

    The database refused the row of such an event, and an operator discarded its dead letter.

    Raises:
        AuditTrailDiffers.
    """
    missing = []
    for position, is_missing in connection.execute(_DIFFERING, (after, last)).fetchall():
        if not is_missing:
            raise AuditTrailDiffers(position)
        missing.append(position)
    return missing


def accounts(connection: Connection, after: int, last: int) -> list[AccountRows]:
    """The accounts that have rows in a range, by id."""
    return [AccountRows(*row) for row in connection.execute(_ACCOUNTS, (SEALED, after, last)).fetchall()]


def rows(connection: Connection, account_id: str, after: int, last: int) -> Iterator[Row]:
    """The rows of an account in a range, by position, read in constant memory."""
    with connection.transaction(), connection.cursor("rows", row_factory=dict_row) as cursor:
        cursor.itersize = 2000
        yield from cursor.execute(_ROWS, (account_id, after, last))


def record_segment(connection: Connection, manifest: Manifest, digest: bytes) -> None:
    """Record a segment whose files were written and verified.

    From then on the read models do not need its rows.
    """
    connection.execute(
        _RECORD_SEGMENT,
        (
            manifest.first_position,
            manifest.last_position,
            manifest.rows,
            manifest.earliest,
            manifest.latest,
            digest,
            manifest.sealed_at,
        ),
    )


def record_in_log(connection: Connection, manifest: Manifest, digest: bytes, file: SegmentFile) -> None:
    """Append `audit.sealed` for an account.

    The event is derived from the manifest only, so it is appended once, however often this is repeated. Its
    actor is an operator and not a user of the account, so it has no personal data (ADR 14).
    """
    seal_id = uuid5(_SEAL_IDS, f"{digest.hex()}:{file.account_id}")
    payload = AuditSealed(
        seal_id=seal_id,
        segment=manifest.name,
        first_position=manifest.first_position,
        last_position=manifest.last_position,
        events=file.rows,
        file_hash=file.sha256,
        manifest_hash=digest.hex(),
    )
    metadata = Metadata(
        account_id=file.account_id,
        actor=Actor(type="user", id=f"operator:{manifest.sealed_by}", name=manifest.sealed_by),
        occurred_at=datetime.fromisoformat(manifest.sealed_at),
        request_id=f"seal-{manifest.name}",
        correlation_id=f"seal-{manifest.name}",
    )
    event = NewEvent(event_id=uuid5(seal_id, "event"), payload=payload, metadata=metadata)
    connection.execute(_APPEND, (append_request(audit_stream(seal_id), 0, [event], None, None),))


def delete_rows(connection: Connection, last: int) -> None:
    """Delete the rows of recorded segments from every generation, in batches. A repeated call continues."""
    for generation in generations(connection):
        schema = sql.Identifier(f"rm_g{generation.generation}")
        lock = lock_number(generation.generation)
        while True:
            first = scalar(
                connection, sql.SQL("SELECT min(position) FROM {}.audit_events").format(schema), ()
            )
            if first is None or first > last:
                break
            batch = (first - 1, min(last, first - 1 + BATCH))
            with connection.transaction():
                lock(connection)
                # Find each image by its key, without a scan.
                connection.execute("SET LOCAL enable_hashjoin = off")
                connection.execute("SET LOCAL enable_mergejoin = off")
                connection.execute(_in(_DELETE_IMAGES, schema), batch)
                connection.execute(_in(_DELETE_EVENTS, schema), batch)
        connection.execute(_in(_DELETE_SPANS, schema), (last,))


def mark_finished(connection: Connection, last: int) -> None:
    connection.execute("UPDATE rm.audit_segments SET finished = true WHERE last_position = %s", (last,))


def _in(statement: LiteralString, schema: sql.Identifier) -> sql.Composed:
    return sql.SQL(statement).format(schema=schema, span=sql.Literal(SPAN))
