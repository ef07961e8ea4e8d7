"""The credentials of an account in numbers, and how credentials are used.

The database counts, so a summary takes two statements for any number of credentials.
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
_MAX_LISTED = 8  # credentials that expire next
_MAX_WORKLOADS = 100  # counted for each credential

_COUNTS = """
SELECT provider, verification_status, count(*),
       count(*) FILTER (WHERE expires_at <= %(now)s),
       count(*) FILTER (WHERE expires_at > %(now)s AND expires_at <= %(soon)s)
FROM rm.credentials WHERE account_id = %(account)s GROUP BY provider, verification_status
"""
_NEXT_TO_EXPIRE = """
SELECT credential_id, name, provider, registry_host, expires_at FROM rm.credentials
WHERE account_id = %s AND expires_at IS NOT NULL ORDER BY expires_at, credential_id LIMIT %s
"""
_USAGE = """
SELECT c.credential_id, max(u.last_used_at), count(u.last_used_at)
FROM unnest(%s::uuid[]) AS c (credential_id) LEFT JOIN LATERAL (
    SELECT last_used_at FROM rm.usages WHERE credential_id = c.credential_id
    ORDER BY last_used_at DESC LIMIT %s
) AS u ON true GROUP BY c.credential_id
"""


_DEAD_LETTERS = """
SELECT p.stream_id, count(*) FROM es.dead_letters p
WHERE p.stream_id = ANY (%s) AND (p.consumer NOT LIKE 'projector:%%'
   OR p.consumer = (SELECT 'projector:' || g.generation FROM rm.generations g WHERE g.status = 'live'))
GROUP BY p.stream_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """`by_status` has every status. `next_to_expire` are rows by expiry; expired credentials come first."""

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
    """When a secret was last issued, and to how many workloads, `_MAX_WORKLOADS` at most.

    `dead_letters` is the number of the credential's events that a consumer could not handle.
    """

    last_used_at: datetime | None
    workloads: int
    dead_letters: int


def summary(connection: Connection, account_id: str, now: datetime) -> Summary:
    """Count the account's credentials. `now` decides which ones are expired."""
    values = {"account": account_id, "now": now, "soon": now + SOON}
    by_status, by_provider = Counter[str](dict.fromkeys(VerificationStatus, 0)), Counter[str]()
    expired = expiring = 0
    for provider, status, count, count_expired, count_expiring in connection.execute(
        _COUNTS, values
    ).fetchall():
        by_status[status] += count
        by_provider[provider] += count
        expired, expiring = expired + count_expired, expiring + count_expiring
    with connection.cursor(row_factory=dict_row) as cursor:
        next_to_expire = cursor.execute(_NEXT_TO_EXPIRE, (account_id, _MAX_LISTED)).fetchall()
    return Summary(
        by_status=dict(by_status),
        by_provider=dict(by_provider.most_common()),
        expired=expired,
        expiring_soon=expiring,
        next_to_expire=next_to_expire,
    )


def usage_summaries(connection: Connection, credential_ids: Sequence[UUID]) -> dict[UUID, UsageSummary]:
    """How each of these credentials is used."""
    if not credential_ids:
        return {}
    rows = connection.execute(_USAGE, (list(credential_ids), _MAX_WORKLOADS)).fetchall()
    dead_letters = dict(connection.execute(_DEAD_LETTERS, (list(credential_ids),)).fetchall())
    return {
        credential_id: UsageSummary(last, workloads, dead_letters.get(credential_id, 0))
        for credential_id, last, workloads in rows
    }
