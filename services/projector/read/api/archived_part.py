"""Report the archived part of a query of the audit trail, in the response or as an error."""

from chassis.database import Connection
from chassis.web.problems import Problem
from projector.read.audit_trail import AuditFilter, audit_events
from projector.write.archived_segments import ArchivedPart, archived_part_of

HEADER = "Regcred-Audit-Sealed"  # of an export; a page has the field `sealed`


def archived_part(connection: Connection, wanted: AuditFilter) -> ArchivedPart | None:
    """The archived part of the requested times or positions; `None` if nothing is archived."""
    return archived_part_of(connection, after=wanted.after, since=wanted.since, until=wanted.until)


def reject_if_all_archived(
    connection: Connection, account_id: str, wanted: AuditFilter, part: ArchivedPart | None
) -> None:
    """Reject a query with an end time if all rows before it are archived.

    An empty response would say that there were no events.

    Raises:
        Problem: 410, with the names of the segments.
    """
    if part is None or wanted.until is None:
        return
    span = AuditFilter(since=wanted.since, until=wanted.until, after=wanted.after)
    if audit_events(connection, account_id, span, limit=1).rows:
        return
    more = f" and {part.count - len(part.segments)} before them" if part.count > len(part.segments) else ""
    raise Problem(
        410,
        "audit_sealed",
        f"the audit trail of that time is archived, up to position {part.up_to} of the log: ask the operator"
        f" for segment {', '.join(part.segments)}{more}",
        extra={"sealed": part.as_document()},
    )
