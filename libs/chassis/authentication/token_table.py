"""Service tokens in PostgreSQL, with a cache: a revoked token is refused within two seconds."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from chassis.authentication.token_row import (
    COLUMNS,
    AuthenticateRow,
    KeyedHashes,
    TokenRow,
    row_of,
)
from chassis.authentication.tokens import Principal, StoredToken, parse, recognise
from chassis.database import Pool, database_errors, scalar, server_time
from chassis.secret import Secret

log = structlog.get_logger()

CACHE_SECONDS = 2.0
_CACHED = 1000
_PAGE = f"""
SELECT {COLUMNS} FROM auth.tokens
WHERE (%(accounts)s::text[] IS NULL OR accounts <@ %(accounts)s AND cardinality(accounts) > 0)
  AND (%(projects)s::text[] IS NULL OR projects <@ %(projects)s AND cardinality(projects) > 0)
  AND (%(after)s::text IS NULL
   OR (created_at, token_id) < (SELECT t.created_at, t.token_id FROM auth.tokens t
                                WHERE t.token_id = %(after)s))
ORDER BY created_at DESC, token_id DESC LIMIT %(limit)s
"""  # noqa: S608 constants
_ONE = f"SELECT {COLUMNS}, auth.token_version(token_id) FROM auth.tokens WHERE token_id = %s"  # noqa: S608 constants

_NUMBER = (
    "SELECT count(*) FROM auth.tokens WHERE (created_by = %s OR accounts <@ %s) AND revoked_at IS NULL"
    " AND (expires_at IS NULL OR expires_at > clock_timestamp())"
)


class UnknownToken(LookupError):
    """No token has this id."""


class PostgresTokens:
    """The tokens in `auth.tokens`. They expire by the clock of the database.

    `authenticate_row` is the HMAC of rows, and `monotonic` the clock of the cache.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        keyed_hash: Callable[[Secret], bytes],
        authenticate_row: AuthenticateRow,
        monotonic: Callable[[], float],
    ) -> None:
        self._pool = pool
        self._keyed_hash = keyed_hash
        self._authenticate_row = authenticate_row
        self._monotonic = monotonic
        self._cache: dict[str, tuple[float, TokenRow, int, datetime]] = {}

    def authenticate(self, text: str) -> Principal | None:
        """The principal of a bearer token. `None` if the token is invalid."""
        token = parse(text)
        if token is None:
            return None
        found = self._found(token.token_id)
        if found is None:
            return None
        row, stream_version, time = found
        principal = recognise(token, row.token, keyed_hash=self._keyed_hash, now=time)
        if principal is not None and not self.is_authentic(row, stream_version):
            log.error("service_token_damaged", token_id=token.token_id)
            return None
        return principal

    def number_of(self, creator: Principal) -> int:
        """How many valid tokens a principal has created.

        One that is limited to accounts could create tokens which create others. So all tokens for its
        accounts count.
        """
        accounts = None if creator.accounts is None else sorted(creator.accounts)
        with database_errors(), self._pool.connection() as connection:
            return int(scalar(connection, _NUMBER, (creator.id, accounts)))

    def page(self, principal: Principal, *, limit: int, after: str | None) -> list[StoredToken]:
        """Up to `limit` tokens after the one with id `after`, also revoked ones, the newest first.

        These are the tokens whose accounts and projects are among those of the principal.

        Raises:
            UnknownToken: there is no token `after` among them. Tokens are never deleted, so no page had it.
        """
        wanted = {
            "accounts": None if principal.accounts is None else list(principal.accounts),
            "projects": None if principal.projects is None else list(principal.projects),
            "limit": limit,
            "after": after,
        }
        if after is not None:
            found = self.read(after)
            if found is None or not principal.includes(found[0].token.accounts, found[0].token.projects):
                raise UnknownToken(after)
        with database_errors(), self._pool.connection() as connection:
            rows = connection.execute(_PAGE, wanted).fetchall()
        return [row_of(row).token for row in rows]

    def read(self, token_id: str) -> tuple[TokenRow, int, datetime] | None:
        """The row of a token, the version of its stream, and the time of the database, of this moment."""
        with database_errors(), self._pool.connection() as connection:
            columns = connection.execute(_ONE, (token_id,)).fetchone()
            if columns is None:
                return None
            return row_of(columns[:-1]), columns[-1], server_time(connection)

    def is_authentic(self, row: TokenRow, stream_version: int) -> bool:
        """Whether the service wrote this row for the last event of the token's stream."""
        return row.is_authentic(stream_version, self._authenticate_row)

    def forget(self, token_id: str) -> None:
        """Read the token again when it is used next."""
        self._cache.pop(token_id, None)

    def _found(self, token_id: str) -> tuple[TokenRow, int, datetime] | None:
        """The row of the token, the version of its stream, and the time of the database."""
        moment = self._monotonic()
        cached = self._cache.get(token_id)
        if cached and moment - cached[0] < CACHE_SECONDS:
            read, row, stream_version, time = cached
            return row, stream_version, time + timedelta(seconds=moment - read)
        found = self.read(token_id)
        if found is None:
            return None  # not cached: guesses must not fill the cache
        if len(self._cache) >= _CACHED:
            self._cache.clear()
        self._cache[token_id] = (moment, *found)
        return found


def token_hash(keys: KeyedHashes) -> Callable[[Secret], bytes]:
    """The function that computes the stored hash of a token, 32 bytes."""
    return lambda token: bytes.fromhex(keys.keyed_hash("token", token.reveal().encode()))
