"""Queries of the audit trail, with any combination of filters, in ascending or descending order of positions.

Pages are selected by position, so every page costs the same. Existing pages do not change, because later
events have higher positions.
"""

from dataclasses import dataclass
from typing import Literal, LiteralString

from chassis.database import Connection
from contracts.audit_events import AuditFilters
from projector.read.selection import Condition, InvalidCursor, Page, Row, read_cursor, select, write_cursor
from projector.write.projections.audit_index import SPAN
from registries.image_filter import image_filter

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
    """A page of the audit trail of an account. `cursor` is of an earlier page with the same `order`.

    Raises:
        InvalidCursor.
    """
    ascending, start = (order == "asc", None) if cursor is None else _read_cursor(cursor)
    conditions = conditions_of(account_id, wanted)
    if ascending:
        rows = select(
            connection,
            "audit_events",
            [*conditions, ("position > %s", start)],
            "position",
            limit + 1,
        )
    else:
        rows = select(
            connection,
            "audit_events",
            [*conditions, ("position < %s", start)],
            "position DESC",
            limit + 1,
        )
    more = len(rows) > limit
    rows = rows[:limit]
    if ascending == (order == "asc"):  # forward
        return Page(
            rows=rows,
            next_cursor=_write_cursor(rows[-1]["position"], ascending=ascending) if more else None,
            previous_cursor=_reverse_cursor(rows, start, ascending=not ascending),
        )
    rows.reverse()
    return Page(
        rows=rows,
        next_cursor=_reverse_cursor(rows[::-1], start, ascending=not ascending),
        previous_cursor=_write_cursor(rows[0]["position"], ascending=ascending) if more else None,
    )


def newest_position(connection: Connection, account_id: str) -> int:
    """The highest position in the account's audit trail; 0 if it has no rows."""
    row = connection.execute(
        "SELECT max(position) FROM rm.audit_events WHERE account_id = %s", (account_id,)
    ).fetchone()
    return (row and row[0]) or 0


def conditions_of(account_id: str, wanted: AuditFilter) -> list[Condition]:
    """The SQL conditions of the filters.

    Times are also converted to positions, which limit the range of any index.
    """
    return [
        ("account_id = %s", account_id),
        ("position > %s", wanted.after),
        ("position <= %s", wanted.up_to),
        # The views are in the order in which a switch of generations locks them, to prevent deadlocks.
        _image_condition(account_id, wanted.image),
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


def _image_condition(account_id: str, image: str | None) -> Condition:
    if image is None:
        return _IMAGE, None
    found = image_filter(image)
    exact: list[object] = [account_id, list(found.exact)]
    if not found.beginnings:
        return _IMAGE, exact
    ranges = [value for text in found.beginnings for value in (account_id, text, _after_all(text))]
    condition = _REPOSITORY if len(found.beginnings) > 1 else _TAG
    return condition, [*exact, *ranges]


def _after_all(beginning: str) -> str:
    """The first text after all those with this beginning, whose last character is `:` or `@`."""
    return beginning[:-1] + chr(ord(beginning[-1]) + 1)


_IMAGE = (
    "position IN (SELECT i.position FROM rm.audit_images i WHERE i.account_id = %s AND i.image = ANY (%s))"
)
_EXACT = "SELECT i.position FROM rm.audit_images i WHERE i.account_id = %s AND i.image = ANY (%s)"
# In the order of bytes, as the index `audit_images_by_beginning`.
_BEGINNING = (
    " UNION ALL SELECT i.position FROM rm.audit_images i"
    ' WHERE i.account_id = %s AND i.image COLLATE "C" >= %s AND i.image COLLATE "C" < %s'
)
_TAG: LiteralString = f"position IN ({_EXACT}{_BEGINNING})"
_REPOSITORY: LiteralString = f"position IN ({_EXACT}{_BEGINNING}{_BEGINNING})"
_SINCE = f"position >= (SELECT min(s.span) * {SPAN} FROM rm.audit_spans s WHERE s.latest >= %s)"  # noqa: S608 a constant
_UNTIL = f"position < (SELECT (max(s.span) + 1) * {SPAN} FROM rm.audit_spans s WHERE s.earliest < %s)"  # noqa: S608


def _reverse_cursor(rows: list[Row], start: int | None, *, ascending: bool) -> str | None:
    """The cursor of the page from which the current one was reached; `None` if this is the first page.

    If the current page is empty, the cursor includes the row at `start`.
    """
    if start is None:
        return None
    if rows:
        return _write_cursor(rows[0]["position"], ascending=ascending)
    return _write_cursor(start - 1 if ascending else start + 1, ascending=ascending)


def _write_cursor(position: int, *, ascending: bool) -> str:
    return write_cursor([">" if ascending else "<", position])


def _read_cursor(text: str) -> tuple[bool, int]:
    direction, position = read_cursor(text, str, int)
    if direction not in {"<", ">"} or not -1 <= position <= _MAX_POSITION:
        raise InvalidCursor
    return direction == ">", position
