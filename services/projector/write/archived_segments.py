"""The part of the audit trail that is archived in segments and no longer in the read models (ADR 15)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chassis.database import Connection
from projector.write.projections.audit_index import SPAN
from projector.write.projections.changes import Change, Insert, Put

MAX_NAMED = 20  # segments that a response names

_LAST_ARCHIVED_POSITION = "SELECT coalesce(max(last_position), 0) FROM rm.audit_segments"
_SEGMENTS = """
SELECT first_position, last_position, (SELECT max(last_position) FROM rm.audit_segments), count(*) OVER ()
FROM rm.audit_segments
WHERE (%(after)s::bigint IS NULL OR last_position > %(after)s)
  AND (%(since)s::timestamptz IS NULL OR latest >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR earliest < %(until)s)
ORDER BY last_position DESC LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class ArchivedPart:
    """The archived part of a query's result.

    It has rows up to position `up_to`, in `count` segments. `segments` has the names of the newest ones.
    """

    up_to: int
    count: int
    segments: Sequence[str]

    def as_document(self) -> dict[str, Any]:
        return {"up_to": self.up_to, "count": self.count, "segments": list(self.segments)}

    def as_header(self) -> str:
        return f"up_to={self.up_to}, count={self.count}, segments={' '.join(self.segments)}"


def last_archived_position(connection: Connection) -> int:
    """The position up to which the audit trail is archived; 0 if nothing is."""
    row = connection.execute(_LAST_ARCHIVED_POSITION).fetchone()
    return int(row[0]) if row else 0


def segment_name(first: int, last: int) -> str:
    """The name of the folder of a segment. Names sort in the order of positions."""
    return f"{first:012d}-{last:012d}"


def archived_part_of(
    connection: Connection, *, after: int | None, since: datetime | None, until: datetime | None
) -> ArchivedPart | None:
    """The archived part of the audit trail after a position and between two times. `None`: there is none."""
    filters: Mapping[str, object] = {"after": after, "since": since, "until": until, "limit": MAX_NAMED}
    rows = connection.execute(_SEGMENTS, filters).fetchall()
    if not rows:
        return None
    *_, up_to, count = rows[0]
    return ArchivedPart(up_to, count, [segment_name(first, last) for first, last, *_ in rows])


def without_archived(changes: Sequence[Change], position: int) -> Sequence[Change]:
    """The changes without rows of the audit trail that are archived through `position`.

    A rebuild skips these rows. Pure.
    """
    if not position:
        return changes
    return [change for change in changes if not _is_archived(change, position)]


def _is_archived(change: Change, archived_through: int) -> bool:
    match change:
        case Insert("audit_events" | "audit_images", values):
            position = values["position"]
            return isinstance(position, int) and position <= archived_through
        case Put("audit_spans", span) if isinstance(span, int):
            return (span + 1) * SPAN <= archived_through + 1
        case _:
            return False
