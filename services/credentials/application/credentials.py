"""The commands of a credential: each method is one use case. How a command is carried out is
`command_handler`.

A secret is written before the event that refers to it. If the append fails for sure, that version is
destroyed at once; if nobody knows whether it failed, it stays, and the sweep removes it should no event refer
to it.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid5

import structlog

from chassis.secret import Secret
from contracts.credential import Absent, Active
from contracts.credential_events import Details, Restrictions, SecretReference
from credentials.application.command_handler import NOTHING_YET, CommandHandler, CommandRequest, CommandResult
from credentials.application.store import CredentialStore, RecordedOutcome
from credentials.domain.commands import (
    DEFAULT_GRACE,
    DEFAULT_USE_WINDOW,
    UNCHANGED,
    AddCredential,
    ChangeDetails,
    RemoveCredential,
    RequestVerification,
    RestrictCredential,
    RotateSecret,
    Unchanged,
    WorkloadUsage,
)
from credentials.domain.credential import decide
from credentials.domain.errors import NameTaken, StaleVersion
from credentials.domain.impact import losing, served_by
from eventlog.storage import OutcomeUnknown, VersionConflict
from registries.image_reference import ImageReference
from registries.input.new_secret import NewSecret
from secretstore.store import SecretPath, SecretStore, SecretStoreError, SecretVersionConflict

log = structlog.get_logger()

_IDS = UUID(
    "0b1d1f0e-3c55-5e0a-8f43-9a7a55a2f6d1"
)  # namespace of ids that follow from a request, fixed for ever


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """What a change of the credential, as it is at that version, would come to: who would lose it, and which
    credentials each project among them would be given instead.
    """

    credential_id: UUID
    version: int
    usages: tuple[WorkloadUsage, ...]
    served_by: Mapping[str, tuple[UUID, ...]]


class Credentials:
    """Every command of a credential. Raises `Refused`, `EventStoreError` and `SecretStoreError`."""

    def __init__(
        self,
        store: CredentialStore,
        secrets: SecretStore,
        *,
        fingerprint: Callable[[Secret], str],
        new_id: Callable[[], UUID],
        use_window: timedelta = DEFAULT_USE_WINDOW,
    ) -> None:
        self._store = store
        self._handler = CommandHandler(store, new_id=new_id)
        self._secrets = secrets
        self._fingerprint = fingerprint
        self._new_id = new_id
        self._use_window = use_window

    def add(
        self, request: CommandRequest, secret: NewSecret, details: Details, restrictions: Restrictions
    ) -> CommandResult:
        """Save a credential. The same request again gives the same answer, and no second credential."""
        if replayed := self._handler.replay(request):
            return replayed
        credential_id = self._id_from(request)
        command = AddCredential(
            credential_id=credential_id,
            registry=secret.registry,
            username=secret.login.username,
            secret=self._reference(secret, 1),
            details=details,
            restrictions=restrictions,
        )
        decide(command, Absent())
        if self._store.name_taken(request.account_id, details.name):
            raise NameTaken(details.name)

        path = SecretPath(request.account_id, credential_id)
        version = self._secrets.put(
            path, secret.login.to_secret(), write_id=str(credential_id), expected_version=0
        )
        command = replace(command, secret=self._reference(secret, version))
        # Under a key the same request may be running beside this one, with the same secret.
        with nullcontext() if request.key else _discarded_unless_appended(lambda: self._secrets.remove(path)):
            return self._handler.append(request, NOTHING_YET, command)

    def replay(self, request: CommandRequest) -> CommandResult | None:
        """What was answered to the same request under the same key before, if it was."""
        return self._handler.replay(request)

    def change(
        self, request: CommandRequest, credential_id: UUID, expected: int | None, command: ChangeDetails
    ) -> CommandResult:
        """Change details behind version `expected` (`None`: whichever it is)."""
        return self._handler.handle(request, credential_id, expected, lambda _: command)

    def restrict(
        self, request: CommandRequest, credential_id: UUID, expected: int | None, restrictions: Restrictions
    ) -> CommandResult:
        """Say which projects may use it."""
        command = RestrictCredential(restrictions=restrictions)
        return self._handler.handle(request, credential_id, expected, lambda _: command)

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
        """Replace the secret. `secret_for` reads it in the light of the credential as it is: its registry
        stays unless another is named. The expiry, unless named, ends with the old secret, which is kept for
        `grace`.
        """
        loaded = self._handler.load(request, credential_id, expected)
        secret = secret_for(loaded.active)
        path = SecretPath(request.account_id, credential_id)
        version = self._put_next(path, secret, loaded.active.secret.version)
        command = RotateSecret(
            registry=secret.registry,
            username=secret.login.username,
            secret=self._reference(secret, version),
            expires_at=None if isinstance(expires_at, Unchanged) else expires_at,
            previous_valid_until=request.now + grace,
        )
        try:
            with _discarded_unless_appended(lambda: self._secrets.destroy(path, [version])):
                return self._handler.append(request, loaded, command)
        except VersionConflict as conflict:
            raise StaleVersion(expected=loaded.version, actual=conflict.actual) from None

    def request_verification(
        self, request: CommandRequest, credential_id: UUID, image: ImageReference | None = None
    ) -> CommandResult:
        """Ask for a new login, and for a try on an image. The answer's body is the verification, pending."""
        if replayed := self._handler.replay(request):
            return replayed
        command = RequestVerification(trigger="requested", image=image)
        return self._handler.handle(request, credential_id, None, lambda _: command)

    def remove(
        self,
        request: CommandRequest,
        credential_id: UUID,
        expected: int | None,
        *,
        reason: str | None,
        forced: bool,
    ) -> CommandResult:
        """Remove it for ever. The relay's housekeeping destroys its secret, and tries until it has.

        Raises:
            CredentialInUse: workloads were given it within the window, and it was not `forced`.
        """
        since = request.now - self._use_window

        def command(_credential: Active) -> RemoveCredential:
            usages = self._store.usages(credential_id, since=since)
            return RemoveCredential(reason=reason, forced=forced, usages=usages)

        unused_since = None if forced else since
        return self._handler.handle(request, credential_id, expected, command, unused_since=unused_since)

    def impact(
        self,
        request: CommandRequest,
        credential_id: UUID,
        expected: int | None,
        restrictions: Restrictions | None,
    ) -> Impact:
        """Who would lose it by these restrictions, or (`None`) by its removal. Nothing is changed."""
        loaded = self._handler.load(request, credential_id, expected)
        lost = loaded.active
        usages = self._store.usages(credential_id, since=request.now - self._use_window)
        if restrictions is not None:
            usages = losing(usages, before=lost.restrictions, after=restrictions)
        others = self._store.candidates(request.account_id, [lost.registry.host])
        instead = {
            project_id: served_by(project_id, lost, others, at=request.now)
            for project_id in {user.project_id for user in usages}
        }
        return Impact(credential_id=credential_id, version=loaded.version, usages=usages, served_by=instead)

    def outcome_of(self, credential_id: UUID, verification_id: UUID) -> RecordedOutcome | None:
        """The outcome of a verification; `None` while there is none."""
        for recorded in self._store.outcomes(credential_id):
            if recorded.outcome.verification_id == verification_id:
                return recorded
        return None

    def _id_from(self, request: CommandRequest) -> UUID:
        """Under a key, an id that follows from the request: repeated after an unknown outcome, it writes the
        same secret to the same place.
        """
        if request.key is None:
            return self._new_id()
        return uuid5(_IDS, f"{request.account_id}:{request.key.key}:{request.key.fingerprint.hex()}")

    def _reference(self, secret: NewSecret, version: int) -> SecretReference:
        fingerprint = self._fingerprint(secret.login.to_secret())
        return SecretReference(version=version, kind=secret.kind, fingerprint=fingerprint)

    def _put_next(self, path: SecretPath, secret: NewSecret, version: int) -> int:
        """Write behind the version that the credential refers to, or behind a leftover of a failed append."""
        write_id, value = str(self._new_id()), secret.login.to_secret()
        try:
            return self._secrets.put(path, value, write_id=write_id, expected_version=version)
        except SecretVersionConflict:
            newest = self._secrets.current_version(path)
            return self._secrets.put(path, value, write_id=write_id, expected_version=newest)


@contextmanager
def _discarded_unless_appended(discard: Callable[[], None]) -> Iterator[None]:
    """Discard the secret if what is done here fails for sure. If nobody knows whether it failed, the secret
    stays: the sweep removes it should no event refer to it.
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
