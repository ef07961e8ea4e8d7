"""The commands that replace the secret of a credential.

The secret is written before the event that refers to it (`application.credentials`).
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from chassis.secret import Secret
from contracts.credential import Active
from credentials.application.command_handler import (
    ATTEMPTS,
    CommandHandler,
    CommandRequest,
    CommandResult,
    LoadedCredential,
    retried,
)
from credentials.application.stored_secrets import StoredSecrets
from credentials.domain.commands import DEFAULT_GRACE, UNCHANGED, RollBackSecret, RotateSecret, Unchanged
from credentials.domain.credential import former_secret
from credentials.domain.errors import FormerSecretGone
from eventlog.storage import VersionConflict
from registries.input.new_secret import NewSecret
from secretstore.store import SecretPath, SecretVersionConflict, StoredSecretUnreadable


class Rotations:
    """Replaces secrets. Raises `Refused`, `EventStoreError` and `SecretStoreError`."""

    def __init__(self, handler: CommandHandler, stored: StoredSecrets) -> None:
        self._handler = handler
        self._stored = stored

    def rotate(
        self,
        request: CommandRequest,
        credential_id: UUID,
        expected: int | None,
        secret_for: Callable[[Active], NewSecret],
        expires_at: datetime | Unchanged | None = UNCHANGED,
        *,
        grace: timedelta = DEFAULT_GRACE,
    ) -> CommandResult:
        """Replace the secret. The previous one can be read for `grace`.

        `secret_for` reads the new secret for the current credential, whose registry stays unless the caller
        names another one. Without `expires_at`, the expiry is removed: it was that of the previous secret.
        """
        path = SecretPath(request.account_id, credential_id)

        def once() -> CommandResult:
            loaded = self._handler.load(request, credential_id, expected)
            secret = secret_for(loaded.active)
            value, current = secret.login.to_secret(), loaded.active.secret.version
            command = RotateSecret(
                registry=secret.registry,
                username=secret.login.username,
                secret=self._stored.reference(path, value, secret.kind, current + 1),
                expires_at=None if isinstance(expires_at, Unchanged) else expires_at,
                previous_valid_until=request.now + grace,
            )
            return self._store_and_append(request, loaded, path, value, command)

        return retried(once, on=(SecretVersionConflict, VersionConflict), attempts=ATTEMPTS)

    def roll_back(
        self,
        request: CommandRequest,
        credential_id: UUID,
        expected: int | None,
        *,
        grace: timedelta = DEFAULT_GRACE,
    ) -> CommandResult:
        """Restore the login that the last rotation replaced. The current secret can be read for `grace`.

        The former secret is copied to a new version. The end of its grace then destroys a secret that is not
        in use, and versions only grow.

        Raises:
            NoFormerSecret: the secret was never rotated.
            FormerSecretGone: the grace is over, or the former secret cannot be read.
        """
        if replayed := self._handler.replay(request):
            return replayed
        path = SecretPath(request.account_id, credential_id)

        def once() -> CommandResult:
            loaded = self._handler.load(request, credential_id, expected)
            former = former_secret(loaded.active, request.now).secret
            try:
                value = self._stored.read(path, former.version)
            except StoredSecretUnreadable:
                raise FormerSecretGone from None
            version = loaded.active.secret.version + 1
            command = RollBackSecret(
                secret=self._stored.reference(path, value, former.kind, version),
                at=request.now,
                previous_valid_until=request.now + grace,
            )
            return self._store_and_append(request, loaded, path, value, command)

        return retried(once, on=(SecretVersionConflict, VersionConflict), attempts=ATTEMPTS)

    def _store_and_append(
        self,
        request: CommandRequest,
        loaded: LoadedCredential,
        path: SecretPath,
        value: Secret,
        command: RotateSecret | RollBackSecret,
    ) -> CommandResult:
        """Store the next secret and append the command with the reference to it."""
        if request.dry_run:
            return self._handler.append(request, loaded, command)
        self._handler.check(request, loaded, command)  # before a secret is stored
        version = self._stored.put_next(path, value, loaded.active.secret.version)
        reference = self._stored.reference(path, value, command.secret.kind, version)
        with self._stored.destroyed_on_failure(path, version):
            return self._handler.append(request, loaded, replace(command, secret=reference))
