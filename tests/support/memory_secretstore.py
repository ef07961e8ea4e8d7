"""A secret store in memory, for tests. It passes the same suite as the other stores."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Lock

from chassis.secret import Secret
from secretstore.store import (
    SecretDestroyed,
    SecretMissing,
    SecretPath,
    SecretVersionConflict,
    StoredVersion,
)


@dataclass(slots=True)
class _Version:
    secret: Secret | None
    write_id: str
    deleted: bool = False


class MemorySecretStore:
    """`SecretStore` in memory."""

    def __init__(self) -> None:
        self._versions: dict[SecretPath, list[_Version]] = {}
        self._lock = Lock()

    def put(self, path: SecretPath, secret: Secret, *, write_id: str, expected_version: int) -> int:
        with self._lock:
            versions = self._versions.setdefault(path, [])
            newest = versions[-1] if versions else None
            if newest and not newest.deleted and newest.write_id == write_id and newest.secret == secret:
                return len(versions)
            if len(versions) != expected_version:
                if not versions:
                    del self._versions[path]
                raise SecretVersionConflict
            versions.append(_Version(secret, write_id))
            return len(versions)

    def get(self, path: SecretPath, version: int) -> Secret:
        with self._lock:
            versions = self._versions.get(path, [])
            if not 0 < version <= len(versions):
                raise SecretMissing
            secret = versions[version - 1].secret
            if secret is None or versions[version - 1].deleted:
                raise SecretDestroyed
            return secret

    def delete(self, path: SecretPath, versions: Sequence[int]) -> None:
        with self._lock:
            stored = self._versions.get(path, [])
            for version in versions:
                if 0 < version <= len(stored):
                    stored[version - 1].deleted = True

    def destroy(self, path: SecretPath, versions: Sequence[int]) -> None:
        with self._lock:
            stored = self._versions.get(path, [])
            for version in versions:
                if 0 < version <= len(stored):
                    stored[version - 1].secret = None

    def remove(self, path: SecretPath) -> None:
        with self._lock:
            self._versions.pop(path, None)

    def versions(self, path: SecretPath) -> tuple[StoredVersion, ...]:
        with self._lock:
            stored = self._versions.get(path, [])
            return tuple(
                StoredVersion(number, version.secret is None, version.deleted)
                for number, version in enumerate(stored, 1)
            )

    def current_version(self, path: SecretPath) -> int:
        with self._lock:
            return len(self._versions.get(path, []))

    def paths(self) -> Iterator[SecretPath]:
        with self._lock:
            return iter(list(self._versions))

    def check(self) -> None:
        """The store is always healthy."""

    def close(self) -> None:
        """The store has no connections."""
