"""The port of the secret store, and its errors.

SecretStoreError
├── SecretVersionConflict    the path is at another version; nothing was written
├── StoredSecretUnreadable   a later attempt fails in the same way
│   ├── SecretMissing        the version never existed, or the path was removed
│   ├── SecretDestroyed      the version was destroyed
│   └── SecretDamaged        it cannot be decrypted, or is not a secret of regcred
└── SecretStoreUnavailable   Vault is sealed, standby or rate-limited, or the store cannot be reached
    └── WrongSecretStore     it belongs to another installation

No message of an error contains a part of a secret. The adapters are `encrypted_table` (PostgreSQL), `vault`
(HashiCorp Vault, KV version 2), and one in memory for tests. All pass `tests/support/secretstore_suite.py`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar
from uuid import UUID

from chassis.ids import is_platform_id
from chassis.runtime.cannot_start import CannotStart
from chassis.runtime.unavailable import Unavailable
from chassis.secret import Secret

_Parsed = TypeVar("_Parsed")


class SecretStoreError(Exception):
    """The secret store did not fulfil a request."""


class SecretVersionConflict(SecretStoreError):
    def __init__(self) -> None:
        super().__init__("the secret is at another version")


class StoredSecretUnreadable(SecretStoreError):
    """The store responds, and this version of the secret cannot be read."""


class SecretMissing(StoredSecretUnreadable):
    def __init__(self) -> None:
        super().__init__("there is no such secret")


class SecretDestroyed(StoredSecretUnreadable):
    def __init__(self) -> None:
        super().__init__("this version of the secret was destroyed")


class SecretDamaged(StoredSecretUnreadable):
    """It was changed or moved, or the key file is of another installation."""

    def __init__(self) -> None:
        super().__init__("the stored secret cannot be decrypted, or is not a secret of regcred")


class SecretStoreUnavailable(SecretStoreError, Unavailable):
    code = "secret_store_unavailable"
    sentence = "the secret store cannot be reached now"

    def __init__(self, reason: str, *, retry_after: int = 5) -> None:
        super().__init__(f"the secret store is unavailable: {reason}")
        self.retry_after = retry_after


class WrongSecretStore(SecretStoreUnavailable, CannotStart):
    """The secret store belongs to another installation. Nothing is read, written or deleted there."""


@dataclass(frozen=True, slots=True)
class SecretPath:
    """The path of all versions of one credential's secret.

    Raises:
        ValueError: `account_id` is not a valid id of an account.
    """

    account_id: str
    credential_id: UUID

    def __post_init__(self) -> None:
        if not is_platform_id(self.account_id):
            raise ValueError("not a valid id of an account")

    def __str__(self) -> str:
        return f"accounts/{self.account_id}/credentials/{self.credential_id}"


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A version of a secret. One that is `deleted` cannot be read; a `destroyed` one is lost."""

    version: int
    destroyed: bool
    deleted: bool = False


class SecretStore(Protocol):
    """Versioned secrets. Versions of a path count from 1. The numbers of destroyed ones are not used again.

    Every method may raise `SecretStoreUnavailable`.
    """

    def put(self, path: SecretPath, secret: Secret, *, write_id: str, expected_version: int) -> int:
        """Write the version after `expected_version` (0: the path must be new) and return its number.

        Repeating a write (same `write_id` and secret) returns the number of the first one. A write whose
        outcome is unknown can therefore be repeated.

        Raises:
            SecretVersionConflict: the path is at another version.
        """

    def get(self, path: SecretPath, version: int) -> Secret:
        """Return a version. Raises `StoredSecretUnreadable`."""

    def delete(self, path: SecretPath, versions: Sequence[int]) -> None:
        """Make these versions unreadable. In Vault an operator can undo this until they are destroyed."""

    def destroy(self, path: SecretPath, versions: Sequence[int]) -> None:
        """Make these versions permanently unreadable. Missing versions are not an error."""

    def remove(self, path: SecretPath) -> None:
        """Destroy every version and delete the path. A missing path is not an error."""

    def versions(self, path: SecretPath) -> tuple[StoredVersion, ...]:
        """Return every version, the oldest first; none for a missing path."""

    def current_version(self, path: SecretPath) -> int:
        """Return the newest version, destroyed or not; 0 for a missing path."""

    def paths(self) -> Iterator[SecretPath]:
        """Yield every path. Raises `WrongSecretStore` if the store belongs to another installation."""

    def check(self) -> None:
        """Raise `SecretStoreUnavailable` if the store cannot accept requests now."""

    def close(self) -> None: ...


def read_secret(
    store: SecretStore, path: SecretPath, version: int, parse: Callable[[Secret], _Parsed]
) -> _Parsed:
    """Return the result of `parse` for a version of a secret.

    Raises:
        StoredSecretUnreadable: it cannot be read, or `parse` raised a `ValueError`.
        SecretStoreUnavailable: the store cannot be reached.
    """
    secret = store.get(path, version)
    try:
        return parse(secret)
    except ValueError:
        raise SecretDamaged from None
