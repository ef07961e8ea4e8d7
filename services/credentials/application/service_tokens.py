"""Create and revoke service tokens, within the rights of the caller.

Under an Idempotency-Key the token is derived from the key, the caller and the pepper of the key file, by
HMAC. A request that is repeated within a day therefore returns the same token, and no token is stored.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from secrets import token_bytes

from chassis.authentication.token_table import PostgresTokens
from chassis.authentication.tokens import RANDOM_BYTES, Principal, StoredToken, TokenScope, compose
from chassis.secret import Secret
from credentials.postgres_tokens import PostgresTokenWriter
from eventlog.events import Metadata
from eventlog.storage import IdempotencyKeyReused, VersionConflict

_KEY_AGE = timedelta(hours=24)  # then the key is free, as for every other request

Derive = Callable[[bytes], bytes]  # 32 bytes, derived with the pepper of the key file


class BeyondOwnRights(Exception):
    """The token has or would have a right that the caller does not have, or would outlive it.

    `fields` are those of a token to create that ask for too much.
    """

    def __init__(self, fields: Sequence[str] = ()) -> None:
        super().__init__("beyond the rights of the caller")
        self.fields = fields


class ExpiryRefused(Exception):
    """The time at which the token would expire is refused. `code` says why, and the message for users."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class RevokedMeanwhile(Exception):
    """The token that was created under this Idempotency-Key is revoked, or its row was changed by hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedToken:
    """The token that a caller wants."""

    name: str
    scopes: frozenset[TokenScope]
    accounts: frozenset[str] | None
    projects: frozenset[str] | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedToken:
    """A stored token with its text. `replayed`: an earlier request has created it."""

    stored: StoredToken
    text: Secret
    replayed: bool


class ServiceTokens:
    """The commands on service tokens.

    A new token lives for `longest_life` at most; `None` does not limit it.
    """

    def __init__(
        self,
        tokens: PostgresTokens,
        writer: PostgresTokenWriter,
        *,
        keyed_hash: Callable[[Secret], bytes],
        derive: Derive,
        longest_life: timedelta | None,
    ) -> None:
        self._tokens = tokens
        self._writer = writer
        self._keyed_hash = keyed_hash
        self._derive = derive
        self._longest_life = longest_life

    def create(
        self,
        caller: Principal,
        wanted: RequestedToken,
        key: str | None,
        metadata: Metadata,
        *,
        admit: Callable[[int], None],
        dry_run: bool = False,
    ) -> CreatedToken:
        """Create a token. `metadata` names the caller and the time; `key` is the Idempotency-Key.

        The token of a dry run is not stored.

        `admit` gets the number of valid tokens that count for the caller, and raises if it may not create
        another one.

        Raises:
            BeyondOwnRights, ExpiryRefused: nothing was written.
            IdempotencyKeyReused: the key belongs to a request for another token.
            RevokedMeanwhile: the token of the key is revoked.
        """
        moment = metadata.occurred_at
        token_id, text = compose(
            token_bytes(RANDOM_BYTES) if key is None else self._under_key(f"{caller.id}\0{key}", moment)
        )
        token = StoredToken(
            token_id=token_id,
            name=wanted.name,
            hash=self._keyed_hash(text),
            scopes=wanted.scopes,
            accounts=wanted.accounts,
            projects=wanted.projects,
            created_at=moment,
            created_by=caller.id,
            expires_at=wanted.expires_at,
        )
        exceeded = caller.exceeded_by(token)
        if exceeded:
            raise BeyondOwnRights(exceeded)
        if key is not None and (replayed := self._replayed(token)):
            return CreatedToken(stored=replayed, text=text, replayed=True)
        self._check_expiry(token, moment)
        admit(self._tokens.number_of(caller))
        if dry_run:
            return CreatedToken(stored=token, text=text, replayed=False)
        try:
            self._writer.create(token, metadata)
        except VersionConflict:  # the same request at the same time
            if (replayed := self._replayed(token)) is None:
                raise
            return CreatedToken(stored=replayed, text=text, replayed=True)
        return CreatedToken(stored=token, text=text, replayed=False)

    def revoke(
        self, caller: Principal, token_id: str, metadata: Metadata, *, dry_run: bool = False
    ) -> StoredToken | None:
        """Revoke a token, and return what it was. `None` if no active token has this id.

        Raises:
            BeyondOwnRights: the token is for more than the accounts and projects of the caller.
            LastAdministrator: nothing was written.
        """
        found = self._tokens.read(token_id)
        if found is None:
            return None
        row, stream_version, _ = found
        if not caller.includes(row.token.accounts, row.token.projects):
            raise BeyondOwnRights
        if row.token.revoked_at is not None:
            return None
        try:
            self._writer.revoke(row, stream_version, metadata, undone=dry_run)
        except VersionConflict:
            return None
        finally:
            self._tokens.forget(token_id)
        return row.token

    def _replayed(self, token: StoredToken) -> StoredToken | None:
        """The stored token of an earlier request for the same; `None` if there is none."""
        found = self._tokens.read(token.token_id)
        if found is None:
            return None
        row, stream_version, _ = found
        if _requested(row.token) != _requested(token):
            raise IdempotencyKeyReused
        if row.token.revoked_at is not None or not self._tokens.is_authentic(row, stream_version):
            raise RevokedMeanwhile
        return row.token

    def _check_expiry(self, token: StoredToken, moment: datetime) -> None:
        if token.expires_at is not None and token.expires_at <= moment:
            raise ExpiryRefused("in_the_past", "the token would have expired already")
        longest = self._longest_life
        if longest is not None and (token.expires_at is None or token.expires_at - moment > longest):
            raise ExpiryRefused("too_late", f"a token expires after {longest.days} days at the latest")

    def _under_key(self, name: str, moment: datetime) -> bytes:
        """Return the bytes of the token for a caller and a key, which are `name`.

        These of a token that was created under the key a day ago or earlier are skipped: the key is free
        again.
        """
        names = (name if number == 0 else f"{name}\0{number}" for number in count())
        for derived in (self._derived(each) for each in names):
            found = self._tokens.read(compose(derived)[0])
            if found is None or moment - found[0].token.created_at < _KEY_AGE:
                return derived
        raise AssertionError("the names are infinite")

    def _derived(self, name: str) -> bytes:
        parts = (self._derive(f"{part}\0{name}".encode()) for part in ("first", "second"))
        return b"".join(parts)[:RANDOM_BYTES]


def _requested(token: StoredToken) -> tuple[object, ...]:
    return (token.name, token.scopes, token.accounts, token.projects, token.expires_at)
