"""How an account's credentials stand, in numbers: what a look at its health begins with.

Two statements, whatever the number of credentials: what is counted is not read.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from psycopg.rows import dict_row

from chassis.database import Connection
from contracts.verdicts import VerificationStatus
from projector.read.selection import Row

SOON = timedelta(days=30)
_LISTED = 8  # of those that end next
_USES = 100  # workloads of one credential that are counted

_COUNTS = """
SELECT provider, verification_status, count(*),
       count(*) FILTER (WHERE expires_at <= %(now)s),
       count(*) FILTER (WHERE expires_at > %(now)s AND expires_at <= %(soon)s)
FROM rm.credentials WHERE account_id = %(account)s GROUP BY provider, verification_status
"""
_NEXT = """
SELECT credential_id, name, provider, registry_host, expires_at FROM rm.credentials
WHERE account_id = %s AND expires_at IS NOT NULL ORDER BY expires_at, credential_id LIMIT %s
"""
_USED = """
SELECT c.credential_id, max(u.last_used_at), count(u.last_used_at)
FROM unnest(%s::uuid[]) AS c (credential_id) LEFT JOIN LATERAL (
    SELECT last_used_at FROM rm.usages WHERE credential_id = c.credential_id
    ORDER BY last_used_at DESC LIMIT %s
) AS u ON true GROUP BY c.credential_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """`by_status` names every status. `next_to_expire` are rows of the soonest ends, those gone by first."""

    by_status: dict[str, int]
    by_provider: dict[str, int]
    expired: int
    expiring_soon: int
    next_to_expire: Sequence[Row]

    @property
    def total(self) -> int:
        return sum(self.by_status.values())


@dataclass(frozen=True, slots=True)
class UsageSummary:
    """When a credential's secret was last given out, and to how many workloads so far, `_USES` at most."""

    last_used_at: datetime | None
    workloads: int


def summary(connection: Connection, account_id: str, now: datetime) -> Summary:
    """The account's credentials at this moment."""
    values = {"account": account_id, "now": now, "soon": now + SOON}
    by_status, by_provider = Counter[str](dict.fromkeys(VerificationStatus, 0)), Counter[str]()
    expired = expiring = 0
    for provider, status, count, ended, ending in connection.execute(_COUNTS, values).fetchall():
        by_status[status] += count
        by_provider[provider] += count
        expired, expiring = expired + ended, expiring + ending
    with connection.cursor(row_factory=dict_row) as cursor:
        soonest = cursor.execute(_NEXT, (account_id, _LISTED)).fetchall()
    return Summary(
        by_status=dict(by_status),
        by_provider=dict(by_provider.most_common()),
        expired=expired,
        expiring_soon=expiring,
        next_to_expire=soonest,
    )


def uses(connection: Connection, credential_ids: Sequence[UUID]) -> dict[UUID, UsageSummary]:
    """How each of these is used."""
    if not credential_ids:
        return {}
    rows = connection.execute(_USED, (list(credential_ids), _USES)).fetchall()
    return {credential_id: UsageSummary(last, workloads) for credential_id, last, workloads in rows}
