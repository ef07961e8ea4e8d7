"""Queries of credentials, their usages and their verifications, as pages with a limit and a cursor by key."""

from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from chassis.database import Connection
from chassis.runtime.clock import in_utc
from projector.read.selection import Condition, InvalidCursor, Page, Row, page, read_cursor, select

# An older generation of the read models has no column `additional_hosts`.
_FOR_HOST: LiteralString = """
(registry_host = %s OR to_jsonb(credentials)->'additional_hosts' @> to_jsonb(%s::text))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialFilter:
    """Filters of a list of credentials; `None` does not filter.

    `project` selects the credentials that the project may use, and `name` those whose name contains the text,
    in any case.
    """

    provider: str | None = None
    status: str | None = None
    project: str | None = None
    registry_host: str | None = None
    name: str | None = None


def credentials(
    connection: Connection, account_id: str, wanted: CredentialFilter, *, limit: int, cursor: str | None
) -> Page:
    """A page of the credentials of an account, by name. Raises `InvalidCursor`."""
    conditions: list[Condition] = [
        ("account_id = %s", account_id),
        ("provider = %s", wanted.provider),
        ("verification_status = %s", wanted.status),
        (_FOR_HOST, wanted.registry_host and [wanted.registry_host, wanted.registry_host]),
        ("(NOT restricted OR %s = ANY (projects))", wanted.project),
        ("strpos(lower(name), lower(%s)) > 0", wanted.name),
    ]
    if cursor is not None:
        name, credential_id = read_cursor(cursor, str, str)
        conditions.append(("(lower(name), credential_id) > (%s, %s::uuid)", [name, _id(credential_id)]))
    rows = select(connection, "credentials", conditions, "lower(name), credential_id", limit + 1)
    return page(rows, limit, lambda row: [row["name"].lower(), str(row["credential_id"])])


def credential(connection: Connection, account_id: str, credential_id: UUID) -> Row | None:
    """One credential of an account; `None` if it does not exist."""
    conditions: list[Condition] = [("account_id = %s", account_id), ("credential_id = %s", credential_id)]
    rows = select(connection, "credentials", conditions, "credential_id", 1)
    return rows[0] if rows else None


def usages(
    connection: Connection, account_id: str, credential_id: UUID, *, limit: int, cursor: str | None
) -> Page:
    """A page of the workloads that a secret was issued to, the latest first. Includes removed credentials.

    Raises:
        InvalidCursor.
    """
    conditions: list[Condition] = [("account_id = %s", account_id), ("credential_id = %s", credential_id)]
    if cursor is not None:
        moment, usage_id = read_cursor(cursor, str, str)
        key = [_moment(moment), _id(usage_id)]
        conditions.append(("(last_used_at, usage_id) < (%s, %s)", key))
    rows = select(connection, "usages", conditions, "last_used_at DESC, usage_id DESC", limit + 1)
    return page(rows, limit, lambda row: [row["last_used_at"].isoformat(), str(row["usage_id"])])


def verifications(
    connection: Connection, account_id: str, credential_id: UUID, *, limit: int, cursor: str | None
) -> Page:
    """A page of the verifications of a credential, the newest first. Raises `InvalidCursor`."""
    conditions: list[Condition] = [("account_id = %s", account_id), ("credential_id = %s", credential_id)]
    if cursor is not None:
        conditions.append(("position < %s", read_cursor(cursor, int)[0]))
    rows = select(connection, "verifications", conditions, "position DESC", limit + 1)
    return page(rows, limit, lambda row: [row["position"]])


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise InvalidCursor from None


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return in_utc(moment)
    except ValueError:
        pass
    raise InvalidCursor
