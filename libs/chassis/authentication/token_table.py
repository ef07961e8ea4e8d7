"""Service tokens in PostgreSQL, with a cache: a revoked token is refused within two seconds."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Protocol

from chassis.authentication.tokens import Principal, StoredToken, TokenScope, parse, recognise
from chassis.database import Pool, database_errors, scalar, server_time
from chassis.secret import Secret

CACHE_SECONDS = 2.0
_CACHED = 1000
_COLUMNS = "token_id, name, hash, scopes, accounts, projects, created_at, created_by, expires_at, revoked_at"
_PAGE = f"""
SELECT {_COLUMNS} FROM auth.tokens
WHERE %(after)s::text IS NULL
   OR (created_at, token_id) < (SELECT t.created_at, t.token_id FROM auth.tokens t
                                WHERE t.token_id = %(after)s)
ORDER BY created_at DESC, token_id DESC LIMIT %(limit)s
"""  # noqa: S608 constants
_ONE = f"SELECT {_COLUMNS} FROM auth.tokens WHERE token_id = %s"  # noqa: S608 constants

_NUMBER = (
    "SELECT count(*) FROM auth.tokens WHERE created_by = %s AND revoked_at IS NULL"
    " AND (expires_at IS NULL OR expires_at > clock_timestamp())"
)


class UnknownToken(LookupError):
    """No token has this id."""


class KeyedHashes(Protocol):
    """Keyed hashes of the installation (`secretstore.keyfile.KeyFile`)."""

    def keyed_hash(self, purpose: str, data: bytes) -> str:
        """The keyed hash of `data` for one purpose, in hexadecimal."""


class PostgresTokens:
    """The tokens in `auth.tokens`. They expire by the clock of the database.

    `monotonic` is the clock of the cache.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        keyed_hash: Callable[[Secret], bytes],
        monotonic: Callable[[], float],
    ) -> None:
        self._pool = pool
        self._keyed_hash = keyed_hash
        self._monotonic = monotonic
        self._cache: dict[str, tuple[float, StoredToken, datetime]] = {}

    def authenticate(self, text: str) -> Principal | None:
        """The principal of a bearer token. `None` if the token is invalid."""
        token = parse(text)
        if token is None:
            return None
        found = self._found(token.token_id)
        if found is None:
            return None
        stored, time = found
        return recognise(token, stored, keyed_hash=self._keyed_hash, now=time)

    def add(self, token: StoredToken) -> StoredToken:
        """Store a token, unless one with its id is stored already. Returns the stored one."""
        with database_errors(), self._pool.connection() as connection:
            added = connection.execute(
                "INSERT INTO auth.tokens (token_id, name, hash, scopes, accounts, projects, created_at,"
                " created_by, expires_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
                " ON CONFLICT (token_id) DO NOTHING",
                (
                    token.token_id,
                    token.name,
                    token.hash,
                    sorted(token.scopes),
                    None if token.accounts is None else sorted(token.accounts),
                    None if token.projects is None else sorted(token.projects),
                    token.created_at,
                    token.created_by,
                    token.expires_at,
                ),
            )
            if added.rowcount == 1:
                return token
            row = connection.execute(_ONE, (token.token_id,)).fetchone()
        return token if row is None else _token(row)

    def number_created_by(self, creator: str) -> int:
        """How many valid tokens a principal has created."""
        with database_errors(), self._pool.connection() as connection:
            return int(scalar(connection, _NUMBER, (creator,)))

    def page(self, *, limit: int, after: str | None) -> list[StoredToken]:
        """Up to `limit` tokens after the one with id `after`, also revoked ones, the newest first.

        Raises:
            UnknownToken: there is no token `after`. Tokens are never deleted, so no page contained it.
        """
        with database_errors(), self._pool.connection() as connection:
            if after is not None and connection.execute(_ONE, (after,)).fetchone() is None:
                raise UnknownToken(after)
            rows = connection.execute(_PAGE, {"limit": limit, "after": after}).fetchall()
        return [_token(row) for row in rows]

    def revoke(self, token_id: str) -> bool:
        """Revoke a token. False if there is no such token, or it is revoked already."""
        with database_errors(), self._pool.connection() as connection:
            cursor = connection.execute(
                "UPDATE auth.tokens SET revoked_at = clock_timestamp()"
                " WHERE token_id = %s AND revoked_at IS NULL",
                (token_id,),
            )
        self._cache.pop(token_id, None)
        return cursor.rowcount == 1

    def find(self, token_id: str) -> StoredToken | None:
        """The token with this id, as it was in the last `CACHE_SECONDS`."""
        found = self._found(token_id)
        return None if found is None else found[0]

    def _found(self, token_id: str) -> tuple[StoredToken, datetime] | None:
        """The token, and the time of the database."""
        moment = self._monotonic()
        cached = self._cache.get(token_id)
        if cached and moment - cached[0] < CACHE_SECONDS:
            read, token, time = cached
            return token, time + timedelta(seconds=moment - read)
        with database_errors(), self._pool.connection() as connection:
            row = connection.execute(_ONE, (token_id,)).fetchone()
            time = server_time(connection)
        if row is None:
            return None  # not cached: guesses must not fill the cache
        if len(self._cache) >= _CACHED:
            self._cache.clear()
        token = _token(row)
        self._cache[token_id] = (moment, token, time)
        return token, time


def _token(row: tuple[Any, ...]) -> StoredToken:
    token_id, name, digest, scopes, accounts, projects, created_at, created_by, expires_at, revoked_at = row
    return StoredToken(
        token_id=token_id,
        name=name,
        hash=digest,
        scopes=frozenset(TokenScope(scope) for scope in scopes),
        accounts=None if accounts is None else frozenset(accounts),
        projects=None if projects is None else frozenset(projects),
        created_at=created_at,
        created_by=created_by,
        expires_at=expires_at,
        revoked_at=revoked_at,
    )


def token_hash(keys: KeyedHashes) -> Callable[[Secret], bytes]:
    """The function that computes the stored hash of a token, 32 bytes."""
    return lambda token: bytes.fromhex(keys.keyed_hash("token", token.reveal().encode()))
