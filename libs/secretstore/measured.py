"""Metrics of a secret store, and the limit of the threads that wait for it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext

from chassis.observability.metrics import SECRET_STORE_ERRORS, SECRET_STORE_SECONDS
from chassis.runtime.guarded_dependency import GuardedDependency, NotAdmitted
from chassis.secret import Secret
from secretstore.store import (
    SecretDamaged,
    SecretDestroyed,
    SecretMissing,
    SecretPath,
    SecretStore,
    SecretStoreUnavailable,
    SecretVersionConflict,
    StoredVersion,
)

_KINDS = (
    (SecretVersionConflict, "conflict"),
    (SecretMissing, "missing"),
    (SecretDestroyed, "destroyed"),
    (SecretDamaged, "damaged"),
    (SecretStoreUnavailable, "unavailable"),
)


class MeasuredStore:
    """`SecretStore` that measures another one. `kind` is its label in the metrics (`vault`, `sealed`).

    A request that `guard` does not admit raises `SecretStoreUnavailable`. `check` is not guarded: it has
    short timeouts of its own, and its success does not show that secrets can be read.

    `paths` is not measured: its duration depends on the caller, which reads the list page by page.
    """

    def __init__(
        self,
        store: SecretStore,
        *,
        kind: str,
        guard: GuardedDependency | None = None,
        bind: Callable[[], None] | None = None,
    ) -> None:
        self._store = store
        self._bind = bind
        self._guard = guard
        self._kind = kind

    def bind(self) -> None:
        """Bind the store to its installation, if it can belong to another one. Raises `WrongSecretStore`."""
        if self._bind is not None:
            self._bind()

    def put(self, path: SecretPath, secret: Secret, *, write_id: str, expected_version: int) -> int:
        with self._measured("put"):
            return self._store.put(path, secret, write_id=write_id, expected_version=expected_version)

    def get(self, path: SecretPath, version: int) -> Secret:
        with self._measured("get"):
            return self._store.get(path, version)

    def delete(self, path: SecretPath, versions: Sequence[int]) -> None:
        with self._measured("delete"):
            self._store.delete(path, versions)

    def destroy(self, path: SecretPath, versions: Sequence[int]) -> None:
        with self._measured("destroy"):
            self._store.destroy(path, versions)

    def remove(self, path: SecretPath) -> None:
        with self._measured("remove"):
            self._store.remove(path)

    def versions(self, path: SecretPath) -> tuple[StoredVersion, ...]:
        with self._measured("versions"):
            return self._store.versions(path)

    def current_version(self, path: SecretPath) -> int:
        with self._measured("versions"):
            return self._store.current_version(path)

    def paths(self) -> Iterator[SecretPath]:
        return self._store.paths()

    def check(self) -> None:
        with self._measured("check", guarded=False):
            self._store.check()

    def close(self) -> None:
        self._store.close()

    @contextmanager
    def _measured(self, operation: str, *, guarded: bool = True) -> Iterator[None]:
        guard = self._guard.call() if self._guard and guarded else nullcontext()
        try:
            with guard, SECRET_STORE_SECONDS.labels(self._kind, operation).time():
                yield
        except NotAdmitted as refused:
            SECRET_STORE_ERRORS.labels(self._kind, operation, "unavailable").inc()
            raise SecretStoreUnavailable(str(refused), retry_after=refused.retry_after) from None
        except Exception as error:
            kind = next((name for known, name in _KINDS if isinstance(error, known)), "other")
            SECRET_STORE_ERRORS.labels(self._kind, operation, kind).inc()
            raise
