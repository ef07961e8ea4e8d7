"""The tables of holds and paces, which make guessing a password through regcred slow.

A *hold* is of one account: after a refusal, its logins of the user wait, longer each time. So wrong
passwords of an account do not delay the logins of another. The *pace* is of a username at a registry, over
all accounts: a bucket of `PACE_BURST` tokens, filled with one token per `PACE`. A login takes a token if
its secret was not accepted before, and returns it unless the registry refuses the secret. So many accounts
together do not guess faster.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta

from psycopg.rows import class_row

from chassis.database import Connection, Pool
from eventlog.storage import store_errors
from verifier.schedule.backoff import REFUSED, hold_after
from verifier.schedule.rows import HeldLogin, Hold
from verifier.schedule.table import leased_transaction

PACE = timedelta(seconds=1)
PACE_BURST = 4
_SLACK = PACE * (PACE_BURST - 1)
_REFUSALS_EXPIRE = timedelta(days=1)  # after the end of a hold; later refusals are counted from 1

_OF_ACCOUNT = "account_id = %(account)s AND registry_host = %(host)s AND username = %(name)s"
_OF_ALL = "registry_host = %(host)s AND username = %(name)s"
_HELD = f"""
SELECT until, outcome FROM verifier.account_holds
WHERE {_OF_ACCOUNT} AND until > %(now)s AND (outcome = 'rate_limited' OR NOT %(known_valid)s)
UNION ALL
SELECT limited_until, 'rate_limited' FROM verifier.login_paces WHERE {_OF_ALL} AND limited_until > %(now)s
ORDER BY until DESC LIMIT 1
"""  # noqa: S608 constants only
_REFUSALS = f"SELECT refusals, until FROM verifier.account_holds WHERE {_OF_ACCOUNT} FOR UPDATE"  # noqa: S608
_HOLD = """
INSERT INTO verifier.account_holds AS h (account_id, registry_host, username, until, refusals, outcome)
VALUES (%(account)s, %(host)s, %(name)s, %(until)s, %(refusals)s, %(outcome)s)
ON CONFLICT (account_id, registry_host, username) DO UPDATE
    SET until = greatest(h.until, excluded.until), refusals = excluded.refusals,
        outcome = CASE WHEN excluded.until < h.until THEN h.outcome ELSE excluded.outcome END
"""
_LIMIT = """
INSERT INTO verifier.login_paces AS p (registry_host, username, full_at, limited_until)
VALUES (%(host)s, %(name)s, %(now)s, %(until)s)
ON CONFLICT (registry_host, username) DO UPDATE
    SET limited_until = greatest(p.limited_until, excluded.limited_until)
"""
# A valid login does not wait after the refusal of another secret; after a rate limit, all accounts wait.
_PUSH_BACK = """
UPDATE verifier.schedule SET due_at = greatest(due_at, %(until)s)
WHERE (registry_host = %(host)s OR (additional_hosts <> '{}' AND additional_hosts @> ARRAY[%(host)s]))
  AND lower(username) = lower(%(name)s) AND due_at IS NOT NULL
  AND (%(limited)s OR account_id = %(account)s AND outcome IS DISTINCT FROM 'verified')
"""
# The refusals stay counted: an account with one valid secret could otherwise guess another without waiting.
_RELEASE = """
UPDATE verifier.account_holds SET until = %s WHERE until > %s AND (account_id, registry_host, username) IN
    (SELECT * FROM unnest(%s::text[], %s::text[], %s::text[]))
"""
_RELEASE_LIMITS = """
UPDATE verifier.login_paces SET limited_until = NULL WHERE limited_until IS NOT NULL AND
    (registry_host, username) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
"""
# An account with refusals does not queue: it gets a token only if one is there.
_RESERVE = f"""
INSERT INTO verifier.login_paces AS p (registry_host, username, full_at)
VALUES (%(host)s, %(name)s, %(now)s::timestamptz + %(pace)s)
ON CONFLICT (registry_host, username) DO UPDATE SET full_at = greatest(p.full_at, %(now)s) + %(pace)s
WHERE p.full_at - %(now)s <= %(slack)s + CASE WHEN EXISTS (
    SELECT FROM verifier.account_holds WHERE {_OF_ACCOUNT}) THEN interval '0' ELSE %(at_most)s END
RETURNING full_at - %(pace)s - %(slack)s - %(now)s
"""  # noqa: S608
_WAIT = f"SELECT full_at - %(slack)s - %(now)s FROM verifier.login_paces WHERE {_OF_ALL}"  # noqa: S608
_FULL = f"""
DELETE FROM verifier.login_paces
WHERE {_OF_ALL} AND full_at - %(pace)s <= %(now)s AND (limited_until <= %(now)s) IS NOT FALSE
"""  # noqa: S608
_RETURN = f"UPDATE verifier.login_paces SET full_at = full_at - %(pace)s WHERE {_OF_ALL}"  # noqa: S608
_DELETE_OLD = (
    "DELETE FROM verifier.account_holds WHERE until < %s",
    "DELETE FROM verifier.login_paces WHERE greatest(full_at, limited_until) < %s",
    "DELETE FROM verifier.holds WHERE until < %s",  # of the release before
)


class Paced(Exception):
    """There is no token for the login of this user. The next one is free after `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__("too many logins of this user")
        self.seconds = seconds


class HoldTable:
    """Reads and writes the tables.

    Raises `EventStoreUnavailable` if the database is unavailable, and `StaleLeader` if the thread works under
    a lease that has ended.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def _transaction(self) -> AbstractContextManager[Connection]:
        return leased_transaction(self._pool)

    def hold_on(self, login: HeldLogin, now: datetime, *, known_valid: bool = False) -> Hold | None:
        """The current hold of a login; `None` if there is none.

        A login that is known to be valid waits for rate limits only.
        """
        with (
            store_errors(),
            self._pool.connection() as connection,
            connection.cursor(row_factory=class_row(Hold)) as cursor,
        ):
            values = {**_values(login, now), "known_valid": known_valid}
            return cursor.execute(_HELD, values).fetchone()

    def hold(self, login: HeldLogin, *, outcome: str, retry_after: int | None, now: datetime) -> None:
        """Hold the user back after a refusal, longer each time, and defer the scheduled logins of the user.

        A rate limit holds the user back for all accounts, as long as the registry requires.
        """
        values = _values(login, now)
        with self._transaction() as connection:
            row = connection.execute(_REFUSALS, values).fetchone()
            refusals = row[0] + 1 if row and row[1] > now - _REFUSALS_EXPIRE else 1
            duration = hold_after(outcome, refusals, retry_after)
            if duration is None:
                return
            held = {"until": now + duration, "refusals": refusals, "outcome": outcome, "limited": False}
            connection.execute(_HOLD, values | held)
            connection.execute(_PUSH_BACK, values | held)
            if outcome not in REFUSED and (limit := hold_after(outcome, 1, retry_after)) is not None:
                limited = {"until": now + limit, "limited": True}
                connection.execute(_LIMIT, values | limited)
                connection.execute(_PUSH_BACK, values | limited)

    def release(self, logins: Sequence[HeldLogin], now: datetime) -> None:
        """End the holds of these logins, which were accepted."""
        hosts, names = [login.registry_host for login in logins], [login.name for login in logins]
        with self._transaction() as connection:
            connection.execute(_RELEASE, (now, now, [login.account_id for login in logins], hosts, names))
            connection.execute(_RELEASE_LIMITS, (hosts, names))

    def reserve(self, login: HeldLogin, now: datetime, *, at_most: float = 0.0) -> float:
        """Take a token of the user's pace. Returns the seconds until the login may begin.

        Raises:
            Paced: the login would have to wait longer than `at_most` seconds.
        """
        values = {**_values(login, now), "at_most": timedelta(seconds=max(0.0, at_most))}
        with self._transaction() as connection:
            row = connection.execute(_RESERVE, values).fetchone()
            if row is None:
                waits = connection.execute(_WAIT, values).fetchone()
                raise Paced(max(0.05, waits[0].total_seconds() if waits else 0.0))
        wait: timedelta = row[0]
        return max(0.0, wait.total_seconds())

    def give_back(self, login: HeldLogin, now: datetime) -> None:
        """Return a token: there was no login, or the registry did not refuse its secret."""
        values = _values(login, now)
        with self._transaction() as connection:
            if not connection.execute(_FULL, values).rowcount:
                connection.execute(_RETURN, values)

    def delete_old(self, now: datetime) -> None:
        """Delete holds that ended more than a day ago, and what is left of the paces of that time."""
        with self._transaction() as connection:
            for statement in _DELETE_OLD:
                connection.execute(statement, (now - _REFUSALS_EXPIRE,))


def _values(login: HeldLogin, now: datetime) -> dict[str, object]:
    return {
        "account": login.account_id,
        "host": login.registry_host,
        "name": login.name,
        "now": now,
        "pace": PACE,
        "slack": _SLACK,
    }
