"""The port: where secrets are kept, and what may go wrong.

SecretStoreError
├── VersionConflict          the path is at another version; nothing was written
├── SecretMissing            there never was such a version, or the whole path was removed
├── SecretDestroyed          the version was destroyed on purpose
└── SecretStoreUnavailable   sealed, standby, rate-limited or away: `retry_after` seconds

No message of these holds anything of a secret. Adapters: `sealed` (PostgreSQL), `vault` (HashiCorp Vault
KV v2), and one in memory for tests; `tests/support/secretstore_suite.py` holds all to the same rules.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from chassis.ids import is_platform_id
from chassis.runtime.unavailable import Unavailable
from chassis.secret import Secret


class SecretStoreError(Exception):
    """Something a secret store could not do."""


class SecretVersionConflict(SecretStoreError):
    def __init__(self) -> None:
        super().__init__("the secret is at another version")


class SecretMissing(SecretStoreError):
    def __init__(self) -> None:
        super().__init__("there is no such secret")


class SecretDestroyed(SecretStoreError):
    def __init__(self) -> None:
        super().__init__("this version of the secret was destroyed")


class SecretStoreUnavailable(SecretStoreError, Unavailable):
    code = "secret_store_unavailable"
    sentence = "the secret store cannot be reached now"

    def __init__(self, reason: str, *, retry_after: int = 5) -> None:
        super().__init__(f"the secret store is unavailable: {reason}")
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class SecretPath:
    """Where the versions of one credential's secret are.

    Raises:
        ValueError: the account's id is none.
    """

    account_id: str
    credential_id: UUID

    def __post_init__(self) -> None:
        if not is_platform_id(self.account_id):
            raise ValueError("not the id of an account")

    def __str__(self) -> str:
        return f"accounts/{self.account_id}/credentials/{self.credential_id}"


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A version that is, or was, kept."""

    version: int
    created_at: datetime
    destroyed: bool


class SecretStore(Protocol):
    """Versions count from 1 within a path and go on after a destruction. Every method may raise
    `SecretStoreUnavailable`.
    """

    def put(self, path: SecretPath, secret: Secret, *, write_id: str, expected_version: int) -> int:
        """Write the version behind `expected_version` (0: the path must be new); gives its number.

        The same write again (same `write_id` and secret) gives the number of the first, so that a write whose
        outcome was unknown can be repeated.

        Raises:
            SecretVersionConflict: the path is at another version.
        """

    def get(self, path: SecretPath, version: int) -> Secret:
        """Raises `SecretMissing` or `SecretDestroyed`."""

    def destroy(self, path: SecretPath, versions: Sequence[int]) -> None:
        """Make these versions unreadable for ever; those that are not there are no error."""

    def remove(self, path: SecretPath) -> None:
        """Destroy every version and forget the path; it is no error if it is not there."""

    def versions(self, path: SecretPath) -> tuple[StoredVersion, ...]:
        """Every version, the oldest first; empty for a path that is not there."""

    def current_version(self, path: SecretPath) -> int:
        """The newest version, destroyed or not; 0 for a path that is not there."""

    def paths(self) -> Iterator[SecretPath]:
        """Every path that is there."""

    def check(self) -> None:
        """Raises `SecretStoreUnavailable` while it cannot serve."""

    def close(self) -> None: ...
