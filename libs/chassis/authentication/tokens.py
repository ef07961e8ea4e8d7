"""Static service tokens: `rgcs_<id of 9>_<secret of 43><checksum of 6>`, base 62.

Secret scanners can find a leaked token by its prefix and CRC-32, as with tokens of GitHub. A mistyped token
is refused without a query. Only the HMAC-SHA-256 under the pepper of the key file is stored; 256 random bits
need no slow hash.
"""

import hmac
import re
import string
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chassis.secret import Secret

_TOKEN = re.compile(r"(rgcs_([0-9A-Za-z]{9})_[0-9A-Za-z]{43})([0-9A-Za-z]{6})")
RANDOM_BYTES = 6 + 32  # for the id, for the secret
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase


class TokenScope(StrEnum):
    """The scopes of tokens (`docs/http.md`, "Authentication and scopes")."""

    CREDENTIALS_READ = "credentials:read"
    CREDENTIALS_WRITE = "credentials:write"
    CREDENTIALS_FREEZE = "credentials:freeze"
    SECRETS_ISSUE = "secrets:issue"
    SECRETS_ISSUE_PUSH = "secrets:issue_push"
    AUDIT_READ = "audit:read"
    METRICS_READ = "metrics:read"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """An authenticated caller. `accounts` and `projects` are `None` if the token is not limited to some.

    The scope `admin` includes every other scope, but only for these accounts and projects. `expires_at` is
    `None` if the token does not expire.
    """

    id: str
    name: str
    scopes: frozenset[TokenScope]
    accounts: frozenset[str] | None
    projects: frozenset[str] | None
    expires_at: datetime | None = None

    @property
    def is_unlimited(self) -> bool:
        """Whether the token is valid for every account and project, and so for the installation."""
        return self.accounts is None and self.projects is None

    def may(self, scope: TokenScope) -> bool:
        return scope in self.scopes or TokenScope.ADMIN in self.scopes

    def may_in_account(self, account_id: str) -> bool:
        return self.accounts is None or account_id in self.accounts

    def may_in_project(self, project_id: str | None) -> bool:
        """Whether the token is valid for a project.

        A restricted token is not valid without a project (`None`).
        """
        return self.projects is None or project_id in self.projects

    def includes(self, accounts: frozenset[str] | None, projects: frozenset[str] | None) -> bool:
        """Whether a token with these limits is valid for nothing else than this principal."""
        return _within(accounts, self.accounts) and _within(projects, self.projects)

    def exceeded_by(self, token: "StoredToken") -> list[str]:
        """The fields in which a token has a right that this principal does not have, or outlives it."""
        outlives = self.expires_at is not None and (
            token.expires_at is None or token.expires_at > self.expires_at
        )
        exceeded = {
            "scopes": not all(self.may(scope) for scope in token.scopes),
            "accounts": not _within(token.accounts, self.accounts),
            "projects": not _within(token.projects, self.projects),
            "expires_at": outlives,
        }
        return [field for field, is_exceeded in exceeded.items() if is_exceeded]


def _within(limits: frozenset[str] | None, allowed: frozenset[str] | None) -> bool:
    # An empty set is of nobody, so only a principal that is not limited manages it.
    return allowed is None or (limits is not None and frozenset() < limits <= allowed)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredToken:
    """A stored token, with its hash."""

    token_id: str
    name: str
    hash: bytes
    scopes: frozenset[TokenScope]
    accounts: frozenset[str] | None
    projects: frozenset[str] | None
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None = None

    def principal(self) -> Principal:
        return Principal(
            id=self.token_id,
            name=self.name,
            scopes=self.scopes,
            accounts=self.accounts,
            projects=self.projects,
            expires_at=self.expires_at,
        )


@dataclass(frozen=True, slots=True)
class TokenText:
    """A token that has the right form. It is only valid if its hash is stored."""

    token_id: str
    secret: Secret


def compose(randomness: bytes) -> tuple[str, Secret]:
    """Create a token from `RANDOM_BYTES` random bytes. Returns its id and the token."""
    if len(randomness) != RANDOM_BYTES:
        raise ValueError(f"a token is created from {RANDOM_BYTES} random bytes")
    token_id = _base62(randomness[:6], 9)
    body = f"rgcs_{token_id}_{_base62(randomness[6:], 43)}"
    return token_id, Secret(body + _checksum(body))


def parse(text: str) -> TokenText | None:
    """The parts of a token. `None` if the form or the checksum is wrong."""
    match = _TOKEN.fullmatch(text)
    if match is None or _checksum(match[1]) != match[3]:
        return None
    return TokenText(match[2], Secret(text))


def recognise(
    token: TokenText, stored: StoredToken, *, keyed_hash: Callable[[Secret], bytes], now: datetime
) -> Principal | None:
    """The principal of the stored token, if the hashes are equal and it is neither revoked nor expired."""
    matches = hmac.compare_digest(keyed_hash(token.secret), stored.hash)
    expired = stored.expires_at is not None and stored.expires_at <= now
    return stored.principal() if matches and not expired and stored.revoked_at is None else None


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()).to_bytes(4), 6)


def _base62(data: bytes, width: int) -> str:
    number, digits = int.from_bytes(data), ""
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits = _DIGITS[digit] + digits
    return digits
