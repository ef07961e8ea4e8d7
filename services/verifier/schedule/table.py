"""The verifier's own tables in PostgreSQL: the schedule, and postponed verifications.

A process claims rows for the time of `LEASE`. If it dies, the rows are due again after that.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from uuid import UUID

from psycopg.rows import class_row

from chassis.database import Connection, Pool
from eventlog.consumers import check_lease, current_lease
from eventlog.storage import store_errors
from verifier.expiry import NOTICE_DAYS
from verifier.schedule.rows import Due, ExpiryNotice, Postponed, ScheduleEntry, Settled

LEASE = timedelta(minutes=2)
_FIRST_NOTICE = timedelta(days=NOTICE_DAYS[0])

# A new secret starts with a new schedule, and so do other hosts. After a change of the expiry, notices are
# sent again.
_SAME_LOGIN = "(s.secret_version, s.additional_hosts) = (excluded.secret_version, excluded.additional_hosts)"
_UPSERT = f"""
INSERT INTO verifier.schedule AS s (
    credential_id, stream_version, account_id, provider, registry_host, additional_hosts, username,
    secret_version, due_at, expires_at, notice_at)
VALUES (
    %(credential_id)s, %(stream_version)s, %(account_id)s, %(provider)s, %(registry_host)s,
    %(additional_hosts)s, %(username)s, %(secret_version)s, %(due_at)s, %(expires_at)s,
    CASE WHEN %(expires_at)s::timestamptz IS NOT NULL
         THEN greatest(%(now)s, %(expires_at)s::timestamptz - %(before)s) END)
ON CONFLICT (credential_id) DO UPDATE SET
    stream_version = excluded.stream_version, provider = excluded.provider,
    registry_host = excluded.registry_host, additional_hosts = excluded.additional_hosts,
    username = excluded.username,
    due_at = CASE WHEN {_SAME_LOGIN}
                  THEN CASE WHEN s.due_at IS NOT NULL THEN least(s.due_at, excluded.expires_at) END
                  ELSE excluded.due_at END,
    stage = CASE WHEN {_SAME_LOGIN} THEN s.stage ELSE 0 END,
    outcome = CASE WHEN {_SAME_LOGIN} THEN s.outcome END,
    recorded_at = CASE WHEN {_SAME_LOGIN} THEN s.recorded_at END,
    failures = CASE WHEN {_SAME_LOGIN} THEN s.failures ELSE 0 END,
    secret_expires_at = CASE WHEN s.secret_version = excluded.secret_version THEN s.secret_expires_at END,
    notice_at = CASE WHEN (s.secret_version, s.expires_at) IS NOT DISTINCT FROM
                          (excluded.secret_version, excluded.expires_at)
                     THEN s.notice_at
                     WHEN s.secret_version = excluded.secret_version AND s.secret_expires_at IS NOT NULL
                     THEN greatest(%(now)s, least(excluded.expires_at, s.secret_expires_at) - %(before)s)
                     ELSE excluded.notice_at END,
    last_notice_days = CASE WHEN (s.secret_version, s.expires_at) IS NOT DISTINCT FROM
                                 (excluded.secret_version, excluded.expires_at) THEN s.last_notice_days END,
    secret_version = excluded.secret_version, expires_at = excluded.expires_at
WHERE s.stream_version < excluded.stream_version
"""  # noqa: S608 constants only
_DELETE = """
WITH gone AS (DELETE FROM verifier.postponed WHERE credential_id = %(id)s)
DELETE FROM verifier.schedule WHERE credential_id = %(id)s
"""
_FAILURES = "SELECT failures FROM verifier.schedule WHERE credential_id = %s AND secret_version = %s"
_OUTCOME = "SELECT outcome FROM verifier.schedule WHERE credential_id = %s AND secret_version = %s"
_CLAIM = """
UPDATE verifier.schedule s SET due_at = %(now)s + %(lease)s
FROM (SELECT credential_id FROM verifier.schedule WHERE due_at <= %(now)s
      AND (SELECT es.leads(%(lease_name)s, %(epoch)s))
      ORDER BY due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED) AS c
WHERE s.credential_id = c.credential_id
RETURNING s.credential_id, s.account_id, s.provider, s.registry_host, s.username, s.secret_version, s.stage,
          s.outcome, s.recorded_at, s.failures, s.additional_hosts
"""
_DEFER = (
    "UPDATE verifier.schedule SET due_at = %s, stage = %s WHERE credential_id = %s AND secret_version = %s"
)
_SETTLE = """
UPDATE verifier.schedule SET
    due_at = least(%(due_at)s, CASE WHEN expires_at > %(now)s THEN expires_at END), stage = 0,
    outcome = %(outcome)s, recorded_at = coalesce(%(recorded_at)s, recorded_at), failures = %(failures)s,
    secret_expires_at = coalesce(%(secret_expires_at)s, secret_expires_at),
    notice_at = CASE WHEN coalesce(%(secret_expires_at)s, secret_expires_at) IS NOT DISTINCT FROM
                          secret_expires_at THEN notice_at
                     ELSE greatest(%(now)s, least(expires_at, %(secret_expires_at)s) - %(before)s) END,
    last_notice_days = CASE WHEN coalesce(%(secret_expires_at)s, secret_expires_at) IS NOT DISTINCT FROM
                                 secret_expires_at THEN last_notice_days END
WHERE credential_id = %(credential_id)s AND secret_version = %(secret_version)s
"""
_REFUSED_STAYS = """
UPDATE verifier.schedule SET due_at = NULL WHERE credential_id = %s AND secret_version = %s
"""
_POSTPONE = """
INSERT INTO verifier.postponed AS p (event_id, credential_id, due_at, stage) VALUES (%s, %s, %s, %s)
ON CONFLICT (event_id) DO UPDATE
    SET due_at = excluded.due_at, stage = greatest(p.stage, excluded.stage), attempts = 0
"""
_CLAIM_POSTPONED = """
UPDATE verifier.postponed p
SET due_at = %(now)s + least(%(lease)s * 2 ^ least(p.attempts, 10), interval '1 hour'),
    attempts = p.attempts + 1
FROM (SELECT w.event_id FROM verifier.postponed w JOIN (
          -- In turns of the accounts: many verifications of one do not delay those of another.
          SELECT d.event_id, row_number() OVER (PARTITION BY s.account_id ORDER BY d.due_at) AS turn
          FROM verifier.postponed d LEFT JOIN verifier.schedule s USING (credential_id)
          WHERE d.due_at <= %(now)s) AS turns USING (event_id)
      WHERE w.due_at <= %(now)s AND (SELECT es.leads(%(lease_name)s, %(epoch)s))
      ORDER BY turns.turn, w.due_at LIMIT %(limit)s FOR UPDATE OF w SKIP LOCKED) AS c
WHERE p.event_id = c.event_id
RETURNING p.event_id, p.credential_id, p.stage
"""
_DONE = "DELETE FROM verifier.postponed WHERE event_id = %s"
_NOTICES_DUE = """
SELECT credential_id, account_id, provider, registry_host, secret_version,
       least(expires_at, secret_expires_at) AS expires_at, last_notice_days
FROM verifier.schedule WHERE notice_at <= %s ORDER BY notice_at LIMIT %s
"""
_NOTICE_SENT = """
UPDATE verifier.schedule SET notice_at = %s, last_notice_days = %s
WHERE credential_id = %s AND secret_version = %s AND least(expires_at, secret_expires_at) = %s
"""


def _claim(now: datetime, limit: int) -> dict[str, object]:
    lease = current_lease()
    return {
        "now": now,
        "lease": LEASE,
        "limit": limit,
        "lease_name": lease.name if lease else None,
        "epoch": lease.epoch if lease else None,
    }


@contextmanager
def leased_transaction(pool: Pool) -> Iterator[Connection]:
    """A transaction, in which the lease of the thread is checked first if it works under one."""
    with store_errors(), pool.connection() as connection, connection.transaction():
        check_lease(connection)
        yield connection


class ScheduleTable:
    """Reads and writes the tables.

    Raises `EventStoreUnavailable` if the database is unavailable, and `StaleLeader` if the thread works under
    a lease that has ended.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def _transaction(self) -> AbstractContextManager[Connection]:
        return leased_transaction(self._pool)

    def upsert(self, entry: ScheduleEntry, *, due_at: datetime, now: datetime) -> None:
        """Update the row of a credential from its stream, unless the row is from a later version."""
        values = {name: getattr(entry, name) for name in ScheduleEntry.__dataclass_fields__}
        with self._transaction() as connection:
            connection.execute(_UPSERT, {**values, "due_at": due_at, "now": now, "before": _FIRST_NOTICE})

    def delete(self, credential_id: UUID) -> None:
        """Delete the rows of a removed credential."""
        with self._transaction() as connection:
            connection.execute(_DELETE, {"id": credential_id})

    def failures(self, credential_id: UUID, secret_version: int) -> int:
        """The number of consecutive logins that got no result from the registry."""
        with store_errors(), self._pool.connection() as connection:
            row = connection.execute(_FAILURES, (credential_id, secret_version)).fetchone()
        return row[0] if row else 0

    def claim(self, now: datetime, limit: int) -> list[Due]:
        """Claim up to `limit` credentials that are due, the longest due first."""
        with (
            store_errors(),
            self._pool.connection() as connection,
            connection.cursor(row_factory=class_row(Due)) as cursor,
        ):
            return cursor.execute(_CLAIM, _claim(now, limit)).fetchall()

    def defer(self, rows: Sequence[tuple[Due, datetime, int]]) -> None:
        """Defer claimed rows: each until its time, at its stage."""
        values = [(at, stage, due.credential_id, due.secret_version) for due, at, stage in rows]
        with self._transaction() as connection, connection.cursor() as cursor:
            cursor.executemany(_DEFER, values)

    def settle(self, settled: Sequence[Settled], now: datetime) -> None:
        """Store the outcomes of logins. Rows whose secret was replaced in the meantime do not change."""
        values = [
            {name: getattr(row, name) for name in Settled.__dataclass_fields__}
            | {"now": now, "before": _FIRST_NOTICE}
            for row in settled
        ]
        refused = [(row.credential_id, row.secret_version) for row in settled if row.due_at is None]
        with self._transaction() as connection, connection.cursor() as cursor:
            cursor.executemany(_SETTLE, values)
            if refused:
                cursor.executemany(_REFUSED_STAYS, refused)

    def postpone(self, event_id: UUID, credential_id: UUID, *, due_at: datetime, stage: int) -> None:
        """Store a verification that has to wait. It survives a crash."""
        with self._transaction() as connection:
            connection.execute(_POSTPONE, (event_id, credential_id, due_at, stage))

    def claim_postponed(self, now: datetime, limit: int) -> list[Postponed]:
        """Claim up to `limit` postponed verifications that are due."""
        with (
            store_errors(),
            self._pool.connection() as connection,
            connection.cursor(row_factory=class_row(Postponed)) as cursor,
        ):
            return cursor.execute(_CLAIM_POSTPONED, _claim(now, limit)).fetchall()

    def done(self, event_id: UUID) -> None:
        """Delete a postponed verification that has run or is no longer needed."""
        with self._transaction() as connection:
            connection.execute(_DONE, (event_id,))

    def last_outcome(self, credential_id: UUID, secret_version: int) -> str | None:
        """The outcome of the last login with this secret, `verified` or a code.

        `None` before the first login.
        """
        with store_errors(), self._pool.connection() as connection:
            row = connection.execute(_OUTCOME, (credential_id, secret_version)).fetchone()
        return row[0] if row else None

    def notices_due(self, now: datetime, limit: int) -> list[ExpiryNotice]:
        """Up to `limit` credentials for which a notice is due, the longest due first."""
        with (
            store_errors(),
            self._pool.connection() as connection,
            connection.cursor(row_factory=class_row(ExpiryNotice)) as cursor,
        ):
            return cursor.execute(_NOTICES_DUE, (now, limit)).fetchall()

    def mark_sent(self, notice: ExpiryNotice, *, days: int | None, next_at: datetime | None) -> None:
        """Record that the notice was sent, and when the next one is due."""
        values = (next_at, days, notice.credential_id, notice.secret_version, notice.expires_at)
        with self._transaction() as connection:
            connection.execute(_NOTICE_SENT, values)
