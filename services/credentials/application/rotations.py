"""The commands that replace the secret of a credential.

The secret is written before the event that refers to it (`application.credentials`).

A rotation that is done only if the new secret is verified has two parts. `rotate` stores the secret beside
the current one. The verifier logs in with it, and `settle` then rotates or discards it (`settling`).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from chassis.invalid_input import InvalidInput
from chassis.secret import Secret
from contracts.credential import Active
from contracts.verification_events import RotationTested
from credentials.application.command_handler import (
    ATTEMPTS,
    CommandHandler,
    CommandRequest,
    CommandResult,
    LoadedCredential,
    retried,
)
from credentials.application.store import CredentialStore, RequestedRotation
from credentials.application.stored_secrets import StoredSecrets
from credentials.domain.commands import (
    DEFAULT_GRACE,
    UNCHANGED,
    VERIFY_WITHIN,
    RequestRotation,
    RollBackSecret,
    RotateSecret,
    SettleRotation,
    Unchanged,
)
from credentials.domain.errors import CredentialInUse, FormerSecretGone
from credentials.domain.rotation import former_secret
from eventlog.storage import VersionConflict
from registries.input.new_secret import NewSecret
from secretstore.store import SecretPath, SecretVersionConflict, StoredSecretUnreadable

MAX_REFUSAL = 500  # characters, as a `Detail` of an event


class Rotations:
    """Replaces secrets. Raises `Refused`, `EventStoreError` and `SecretStoreError`."""

    def __init__(
        self,
        store: CredentialStore,
        handler: CommandHandler,
        stored: StoredSecrets,
        *,
        new_id: Callable[[], UUID],
    ) -> None:
        self._store = store
        self._handler = handler
        self._stored = stored
        self._new_id = new_id

    def rotate(
        self,
        request: CommandRequest,
        credential_id: UUID,
        expected: int | None,
        secret_for: Callable[[Active], NewSecret],
        expires_at: datetime | Unchanged | None = UNCHANGED,
        *,
        grace: timedelta = DEFAULT_GRACE,
        only_if_verified: bool = False,
    ) -> CommandResult:
        """Replace the secret. The previous one can be read for `grace`.

        `secret_for` reads the new secret for the current credential, whose registry stays unless the caller
        names another one. Without `expires_at`, the expiry is removed: it was that of the previous secret.

        With `only_if_verified` the rotation is requested, in place of an earlier request. The body of the
        result has it. A dry run is that of the rotation, without a login.
        """
        path = SecretPath(request.account_id, credential_id)
        rotation_id = self._new_id()

        def once() -> CommandResult:
            loaded = self._handler.load(request, credential_id, expected)
            secret = secret_for(loaded.active)
            value, current = secret.login.to_secret(), loaded.active.secret.version
            rotation = RotateSecret(
                registry=secret.registry,
                username=secret.login.username,
                secret=self._stored.reference(path, value, secret.kind, current + 1),
                expires_at=None if isinstance(expires_at, Unchanged) else expires_at,
                previous_valid_until=request.now + grace,
            )
            if not only_if_verified or request.dry_run:
                return self._store_and_append(request, loaded, path, value, rotation)
            self._handler.check(request, loaded, rotation)  # what is refused anyway needs no login
            requested = RequestRotation(
                rotation_id=rotation_id,
                registry=rotation.registry,
                username=rotation.username,
                secret=rotation.secret,
                expires_at=rotation.expires_at,
                grace=grace,
                deadline=request.now + VERIFY_WITHIN,
                force_reason=request.force_reason,
            )
            return self._store_and_append(request, loaded, path, value, requested)

        return retried(once, on=(SecretVersionConflict, VersionConflict), attempts=ATTEMPTS)

    def settle(self, requested: RequestedRotation, now: datetime) -> CommandResult:
        """Do or discard a requested rotation, if that is decided by `now`. Return the credential.

        The events are of the caller who requested it. Housekeeping destroys a secret that is discarded.

        Raises:
            CredentialNotFound: the credential was removed meanwhile.
        """
        tested = self._store.rotation_test(requested.rotation_id)
        command = SettleRotation(rotation_id=requested.rotation_id, at=now, tested=tested)

        def once() -> CommandResult:
            loaded = self._handler.load_any(requested.account_id, requested.credential_id)
            request = _request_of(loaded, now)
            try:
                return self._handler.append(request, loaded, command)
            except (CredentialInUse, InvalidInput) as error:  # since it was requested
                refused = replace(command, refusal=str(error)[:MAX_REFUSAL])
                return self._handler.append(request, loaded, refused)

        return retried(once, on=(VersionConflict,), attempts=ATTEMPTS)

    def tested(self, rotation_id: UUID) -> RotationTested | None:
        """Return the login with the secret of a requested rotation; `None` before it."""
        return self._store.rotation_test(rotation_id)

    def requested(self, after: UUID | None, limit: int) -> Sequence[RequestedRotation]:
        """Return up to `limit` requested rotations of all accounts, after that credential."""
        return self._store.requested_rotations(after, limit)

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
        command: RotateSecret | RequestRotation | RollBackSecret,
    ) -> CommandResult:
        """Store the next secret and append the command with the reference to it."""
        if request.dry_run:
            return self._handler.append(request, loaded, command)
        self._handler.check(request, loaded, command)  # before a secret is stored
        version = self._stored.put_next(path, value, loaded.active.secret.version)
        reference = self._stored.reference(path, value, command.secret.kind, version)
        with self._stored.destroyed_on_failure(path, version):
            return self._handler.append(request, loaded, replace(command, secret=reference))


def _request_of(loaded: LoadedCredential, now: datetime) -> CommandRequest:
    """Return the request that settles a rotation, in the name of the caller who requested it."""
    requested = loaded.active.requested
    cause = next((one for one in loaded.events if one.payload is requested), loaded.events[-1])
    asked = cause.metadata
    return CommandRequest(
        account_id=asked.account_id,
        actor=asked.actor,
        now=now,
        request_id=asked.request_id,
        on_behalf_of=asked.on_behalf_of,
        source_ip=asked.source_ip,
        traceparent=asked.traceparent,
        force_reason=requested.force_reason if requested else None,
        caused_by=cause,
    )
