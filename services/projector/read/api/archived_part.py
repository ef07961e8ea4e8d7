"""What an answer lacks because it was sealed: told beside it, or instead of it where nothing is left."""

from chassis.database import Connection
from chassis.web.problems import Problem
from projector.read.audit_trail import AuditFilter, audit_events
from projector.write.archived_through import ArchivedPart, archived_part_of

HEADER = "Regcred-Audit-Sealed"  # of files; a page has a field


def archived_part(connection: Connection, wanted: AuditFilter) -> ArchivedPart | None:
    """What is sealed of the time, or of the positions, that is asked for; `None`: nothing is."""
    return archived_part_of(connection, after=wanted.after, since=wanted.since, until=wanted.until)


def refuse_if_all(
    connection: Connection, account_id: str, wanted: AuditFilter, part: ArchivedPart | None
) -> None:
    """An end was named, and all before it is sealed: an empty answer would say that nothing happened.

    Raises:
        Problem: 410, it names the segments.
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
        f"that time is archived, up to position {part.up_to} of the log: ask the operator for segment"
        f" {', '.join(part.segments)}{more}",
        extra={"sealed": part.as_document()},
    )
