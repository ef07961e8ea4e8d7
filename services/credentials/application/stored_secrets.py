"""Secrets of credentials in the secret store: references to them, and writes of new versions."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

import structlog

from chassis.secret import Secret
from contracts.credential_events import SecretKind, SecretReference
from eventlog.storage import OutcomeUnknown
from secretstore.store import SecretPath, SecretStore, SecretStoreError, SecretVersionConflict

log = structlog.get_logger()


class StoredSecrets:
    """Reads secrets, and writes those to which events will refer.

    `fingerprint` is the keyed hash of the installation.
    """

    def __init__(
        self, secrets: SecretStore, *, fingerprint: Callable[[Secret], str], new_id: Callable[[], UUID]
    ) -> None:
        self._secrets = secrets
        self._fingerprint = fingerprint
        self._new_id = new_id

    def reference(self, path: SecretPath, value: Secret, kind: SecretKind, version: int) -> SecretReference:
        """Return the reference to a secret. Its fingerprint differs in each account and credential.

        Otherwise a guessed secret could be added as another credential and be compared.
        """
        of_credential = [path.account_id, str(path.credential_id), value.reveal()]
        fingerprint = self._fingerprint(Secret(json.dumps(of_credential)))
        return SecretReference(version=version, kind=kind, fingerprint=fingerprint)

    def read(self, path: SecretPath, version: int) -> Secret:
        """Return a version. Raises `StoredSecretUnreadable`."""
        return self._secrets.get(path, version)

    def put_first(self, path: SecretPath, value: Secret, *, write_id: str) -> int:
        """Write the first version. An earlier attempt may have written it, and the sweep deleted it since."""
        try:
            return self._secrets.put(path, value, write_id=write_id, expected_version=0)
        except SecretVersionConflict:
            return self.put_next(path, value, self._secrets.current_version(path))

    def put_next(self, path: SecretPath, value: Secret, version: int) -> int:
        """Write the version after the one that the credential refers to, or after that of a failed append.

        Raises:
            SecretVersionConflict: another rotation wrote at the same time.
        """
        write_id = str(self._new_id())
        try:
            return self._secrets.put(path, value, write_id=write_id, expected_version=version)
        except SecretVersionConflict:
            newest = self._secrets.current_version(path)
            return self._secrets.put(path, value, write_id=write_id, expected_version=newest)

    @contextmanager
    def removed_on_failure(self, path: SecretPath) -> Iterator[None]:
        """Remove all versions of a new credential if the append in this context failed."""
        with _discarded_on_failure(lambda: self._secrets.remove(path)):
            yield

    @contextmanager
    def destroyed_on_failure(self, path: SecretPath, version: int) -> Iterator[None]:
        """Destroy a version if the append in this context failed."""
        with _discarded_on_failure(lambda: self._secrets.destroy(path, [version])):
            yield


@contextmanager
def _discarded_on_failure(discard: Callable[[], None]) -> Iterator[None]:
    """Call `discard` if the append in this context failed.

    If its outcome is unknown, the secret stays, and the sweep removes it if no event refers to it.
    """
    try:
        yield
    except OutcomeUnknown:
        raise
    except Exception:
        try:
            discard()
        except SecretStoreError as error:
            log.warning("orphan_left_to_sweep", error=type(error).__name__)
        raise
