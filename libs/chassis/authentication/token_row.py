"""The row of `auth.tokens`, and the code that authenticates it.

A writer to the database could extend the rights of a token, or undo its revocation. The service
therefore stores an HMAC under the key file with each row, over every column. The row also has the version of
the token's stream in the log to which it belongs, so that an earlier row that was put back is found.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from hmac import compare_digest
from typing import Any, Protocol
from uuid import UUID

from chassis.authentication.tokens import StoredToken, TokenScope

_PURPOSE = "service token row"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SCOPES = {scope.value for scope in TokenScope}
COLUMNS = (
    "token_id, name, hash, scopes, accounts, projects, created_at, created_by, expires_at, revoked_at,"
    " version, mac"
)

AuthenticateRow = Callable[[bytes], bytes]  # the HMAC of an installation


class KeyedHashes(Protocol):
    """Keyed hashes of the installation (`secretstore.keyfile.KeyFile`)."""

    def keyed_hash(self, purpose: str, data: bytes) -> str:
        """The keyed hash of `data` for one purpose, in hexadecimal."""


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A row: the token, the version of its stream to which the row belongs, and the code of the row."""

    token: StoredToken
    version: int
    mac: bytes | None

    def is_authentic(self, stream_version: int, authenticate: AuthenticateRow) -> bool:
        """Whether the service wrote this row for the last event of the token's stream."""
        if self.mac is None or self.version != stream_version:
            return False
        return compare_digest(self.mac, row_code(self.token, self.version, authenticate))


def authenticate_rows(keys: KeyedHashes) -> AuthenticateRow:
    """The HMAC of rows under the key file of the installation."""
    return lambda row: bytes.fromhex(keys.keyed_hash(_PURPOSE, row))


def row_code(token: StoredToken, version: int, authenticate: AuthenticateRow) -> bytes:
    """The code (32 bytes) of a row."""
    values = (
        token.token_id,
        token.name,
        token.hash.hex(),
        sorted(token.scopes),
        _sorted(token.accounts),
        _sorted(token.projects),
        _microseconds(token.created_at),
        token.created_by,
        _microseconds(token.expires_at),
        _microseconds(token.revoked_at),
        version,
    )
    return authenticate(json.dumps(values).encode())


def row_of(columns: tuple[Any, ...]) -> TokenRow:
    """The row with these values of `COLUMNS`."""
    token_id, name, digest, scopes, accounts, projects, created_at, created_by, *rest = columns
    expires_at, revoked_at, version, mac = rest
    token = StoredToken(
        token_id=token_id,
        name=name,
        hash=digest,
        # A scope of a later release is dropped, so that the code of the row differs.
        scopes=frozenset(TokenScope(scope) for scope in scopes if scope in _SCOPES),
        accounts=None if accounts is None else frozenset(accounts),
        projects=None if projects is None else frozenset(projects),
        created_at=created_at,
        created_by=created_by,
        expires_at=expires_at,
        revoked_at=revoked_at,
    )
    return TokenRow(token, version, mac)


def stream_of_token(token_id: str) -> UUID:
    """The id of the stream of a token, as `auth.token_stream` of the database. It never changes."""
    digest = sha256(f"service_token:{token_id}".encode()).hexdigest()
    return UUID(f"{digest[:12]}5{digest[13:16]}8{digest[17:32]}")


def _sorted(ids: frozenset[str] | None) -> list[str] | None:
    return None if ids is None else sorted(ids)


def _microseconds(moment: datetime | None) -> int | None:
    """The same for each time zone in which the database returns it."""
    return None if moment is None else (moment - _EPOCH) // _MICROSECOND
