"""What readers may ask of the audit trail: any filters at once, in the order of the log or against it.

A page is read by position, in either direction, so that it costs the same wherever it lies. What is there
stays: events that come later stand behind all others.
"""

from dataclasses import dataclass
from typing import Literal

from chassis.database import Connection
from contracts.audit_events import AuditFilters
from projector.read.selection import Condition, InvalidCursor, Page, Row, read_cursor, select, write_cursor
from projector.write.projections.audit_index import SPAN

Order = Literal["asc", "desc"]

_MAX_POSITION = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter(AuditFilters):
    """`None` does not filter. `since` and the position `up_to` are included, `until` and `after` are not."""

    up_to: int | None = None


def audit_events(
    connection: Connection,
    account_id: str,
    wanted: AuditFilter,
    *,
    limit: int,
    cursor: str | None = None,
    order: Order = "desc",
) -> Page:
    """A page of the audit trail of an account; a cursor leads from the page that gave it, in `order`.

    Raises:
        InvalidCursor.
    """
    upwards, behind = (order == "asc", None) if cursor is None else _read_cursor(cursor)
    conditions = _conditions(account_id, wanted)
    if upwards:
        rows = select(
            connection,
            "audit_events",
            [*conditions, ("position > %s", behind)],
            "position",
            limit + 1,
        )
    else:
        rows = select(
            connection,
            "audit_events",
            [*conditions, ("position < %s", behind)],
            "position DESC",
            limit + 1,
        )
    more = len(rows) > limit
    rows = rows[:limit]
    if upwards == (order == "asc"):  # onwards
        return Page(
            rows=rows,
            next_cursor=_write_cursor(rows[-1]["position"], upwards=upwards) if more else None,
            previous_cursor=_back(rows, behind, upwards=not upwards),
        )
    rows.reverse()
    return Page(
        rows=rows,
        next_cursor=_back(rows[::-1], behind, upwards=not upwards),
        previous_cursor=_write_cursor(rows[0]["position"], upwards=upwards) if more else None,
    )


def newest_position(connection: Connection, account_id: str) -> int:
    """Where an account's trail ends now; 0 where nothing has happened."""
    row = connection.execute(
        "SELECT max(position) FROM rm.audit_events WHERE account_id = %s", (account_id,)
    ).fetchone()
    return (row and row[0]) or 0


def _conditions(account_id: str, wanted: AuditFilter) -> list[Condition]:
    """Times are looked up as positions first: all filters then end in the order of their index."""
    image: list[object] | None = None if wanted.image is None else [account_id, wanted.image]
    return [
        ("account_id = %s", account_id),
        ("position > %s", wanted.after),
        ("position <= %s", wanted.up_to),
        # The views in the order of their names: so a switch of generations locks them too.
        (_IMAGE, image),
        (_SINCE, wanted.since),
        ("time >= %s", wanted.since),
        (_UNTIL, wanted.until),
        ("time < %s", wanted.until),
        ("action = %s", wanted.action),
        ("outcome = %s", wanted.outcome),
        ("actor_id = %s", wanted.actor),
        ("credential_id = %s", wanted.credential_id),
        ("project_id = %s", wanted.project_id),
        ("registry_host = %s", wanted.registry_host),
        ("request_id = %s", wanted.request_id),
    ]


_IMAGE = "position IN (SELECT i.position FROM rm.audit_images i WHERE i.account_id = %s AND i.image = %s)"
_SINCE = f"position >= (SELECT min(s.span) * {SPAN} FROM rm.audit_spans s WHERE s.latest >= %s)"  # noqa: S608 a constant
_UNTIL = f"position < (SELECT (max(s.span) + 1) * {SPAN} FROM rm.audit_spans s WHERE s.earliest < %s)"  # noqa: S608


def _back(rows: list[Row], behind: int | None, *, upwards: bool) -> str | None:
    """To the page that a cursor came from; where this page is empty, to what it was to stand behind."""
    if behind is None:
        return None
    if rows:
        return _write_cursor(rows[0]["position"], upwards=upwards)
    return _write_cursor(behind - 1 if upwards else behind + 1, upwards=upwards)


def _write_cursor(position: int, *, upwards: bool) -> str:
    return write_cursor([">" if upwards else "<", position])


def _read_cursor(text: str) -> tuple[bool, int]:
    direction, position = read_cursor(text, str, int)
    if direction not in {"<", ">"} or not -1 <= position <= _MAX_POSITION:
        raise InvalidCursor
    return direction == ">", position
