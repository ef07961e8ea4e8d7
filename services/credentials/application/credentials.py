"""The commands carried out: replay, load and fold, decide, keep the secret, append.

A secret is written before the event that refers to it. If the append fails for sure, that version is
destroyed at once; if nobody knows whether it failed, it stays, and the sweep removes it should no event refer
to it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import structlog

from credentials.application.answers import (
    History,
    credential_answer,
    pending_verification,
    verification_answer,
)
from credentials.application.requests import CommandRequest
from credentials.application.store import CredentialStore, CurrentCredential, UsedMeanwhile
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
    User,
)
from credentials.domain.credential import Absent, Active, Credential, Event, Removed, decide, fold
from credentials.domain.errors import CredentialNotFound, NameTaken, StaleVersion
from credentials.domain.impact import losing, served_by
from shared.contracts.credential_events import (
    Details,
    Restrictions,
    SecretReference,
    VerificationRequested,
)
from shared.events.envelope import NewEvent, RecordedEvent
from shared.eventstore.errors import OutcomeUnknown, VersionConflict
from shared.eventstore.store import IdempotentRequest
from shared.input.new_secret import NewSecret
from shared.registries.image_reference import ImageReference
from shared.secretstore.secret import Secret
from shared.secretstore.store import SecretPath, SecretStore, SecretStoreError
from shared.secretstore.store import VersionConflict as SecretVersionConflict

log = structlog.get_logger()

_IDS = UUID(
    "0b1d1f0e-3c55-5e0a-8f43-9a7a55a2f6d1"
)  # namespace of ids that follow from a request, fixed for ever
_CONFLICT_RETRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is answered: the credential (or the verification) as JSON, and where that is in the log."""

    credential_id: UUID
    version: int
    body: dict[str, Any]
    replayed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """What a change of the credential, as it is at that version, would come to: who would lose it, and which
    credentials each project among them would be given instead.
    """

    credential_id: UUID
    version: int
    users: tuple[User, ...]
    served_by: Mapping[str, tuple[UUID, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    state: Credential
    events: Sequence[RecordedEvent]

    @property
    def version(self) -> int:
        return len(self.events)


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
        self._secrets = secrets
        self._fingerprint = fingerprint
        self._new_id = new_id
        self._use_window = use_window

    def add(
        self, request: CommandRequest, secret: NewSecret, details: Details, restrictions: Restrictions
    ) -> Answer:
        """Save a credential. The same request again gives the same answer, and no second credential."""
        if replayed := self.replay(request):
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
        try:
            return self._append(request, _Loaded(state=Absent(), events=()), decide(command, Absent()))
        except OutcomeUnknown:
            raise
        except Exception:
            # Under a key the same request may be running beside this one, with the same secret.
            if request.key is None:
                self._discard(lambda: self._secrets.remove(path))
            raise

    def replay(self, request: CommandRequest) -> Answer | None:
        """What was answered to the same request under the same key before, if it was."""
        if request.key is None:
            return None
        known = self._store.replay(request.account_id, request.key.key, request.key.fingerprint)
        if known is None or known.response is None:
            return None
        return Answer(
            credential_id=UUID(known.response["credential_id"]),
            version=known.version,
            body=known.response["body"],
            replayed=True,
        )

    def change(
        self, request: CommandRequest, credential_id: UUID, expected: int | None, command: ChangeDetails
    ) -> Answer:
        """Change details behind version `expected` (`None`: whichever it is)."""
        return self._simple(request, credential_id, expected, command)

    def restrict(
        self, request: CommandRequest, credential_id: UUID, expected: int | None, restrictions: Restrictions
    ) -> Answer:
        """Say which projects may use it."""
        return self._simple(request, credential_id, expected, RestrictCredential(restrictions=restrictions))

    def rotate(
        self,
        request: CommandRequest,
        credential_id: UUID,
        expected: int | None,
        secret_for: Callable[[Active], NewSecret],
        expires_at: datetime | Unchanged | None = UNCHANGED,
        *,
        grace: timedelta = DEFAULT_GRACE,
    ) -> Answer:
        """Replace the secret. `secret_for` reads it in the light of the credential as it is: its registry
        stays unless another is named. The expiry, unless named, ends with the old secret, which is kept for
        `grace`.
        """
        loaded = self._load(request, credential_id, expected)
        state = _active(loaded)
        secret = secret_for(state)
        path = SecretPath(request.account_id, credential_id)
        version = self._put_next(path, secret, state.secret.version)
        command = RotateSecret(
            registry=secret.registry,
            username=secret.login.username,
            secret=self._reference(secret, version),
            expires_at=None if isinstance(expires_at, Unchanged) else expires_at,
            previous_valid_until=request.now + grace,
        )
        try:
            return self._append(request, loaded, decide(command, state))
        except OutcomeUnknown:
            raise
        except VersionConflict as conflict:
            self._discard(lambda: self._secrets.destroy(path, [version]))
            raise StaleVersion(expected=loaded.version, actual=conflict.actual) from None
        except Exception:
            self._discard(lambda: self._secrets.destroy(path, [version]))
            raise

    def request_verification(
        self, request: CommandRequest, credential_id: UUID, image: ImageReference | None = None
    ) -> Answer:
        """Ask for a new login, and for a try on an image. The answer's body is the verification, pending."""
        if replayed := self.replay(request):
            return replayed
        return self._simple(
            request, credential_id, None, RequestVerification(trigger="requested", image=image)
        )

    def remove(
        self,
        request: CommandRequest,
        credential_id: UUID,
        expected: int | None,
        *,
        reason: str | None,
        forced: bool,
    ) -> Answer:
        """Remove it for ever. The relay's housekeeping destroys its secret, and tries until it has.

        Raises:
            CredentialInUse: workloads were given it within the window, and it was not `forced`.
        """
        since = request.now - self._use_window
        for attempt in range(_CONFLICT_RETRIES):
            users = self._store.users(credential_id, since=since)
            command = RemoveCredential(reason=reason, forced=forced, users=users)
            unused_since = None if forced else since
            try:
                return self._simple(request, credential_id, expected, command, unused_since=unused_since)
            except UsedMeanwhile:
                if attempt + 1 == _CONFLICT_RETRIES:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def impact(
        self,
        request: CommandRequest,
        credential_id: UUID,
        expected: int | None,
        restrictions: Restrictions | None,
    ) -> Impact:
        """Who would lose it by these restrictions, or (`None`) by its removal. Nothing is changed."""
        loaded = self._load(request, credential_id, expected)
        lost = _active(loaded)
        users = self._store.users(credential_id, since=request.now - self._use_window)
        if restrictions is not None:
            users = losing(users, before=lost.restrictions, after=restrictions)
        others = self._store.candidates(request.account_id, [lost.registry.host])
        instead = {
            project_id: served_by(project_id, lost, others, at=request.now)
            for project_id in {user.project_id for user in users}
        }
        return Impact(credential_id=credential_id, version=loaded.version, users=users, served_by=instead)

    def outcome_of(self, credential_id: UUID, verification_id: UUID) -> dict[str, Any] | None:
        """How a verification ended, as JSON of the contract; `None` while it has not."""
        for outcome in self._store.outcomes(credential_id):
            if outcome.verification_id == verification_id:
                return verification_answer(outcome)
        return None

    def _simple(
        self,
        request: CommandRequest,
        credential_id: UUID,
        expected: int | None,
        command: ChangeDetails | RestrictCredential | RequestVerification | RemoveCredential,
        *,
        unused_since: datetime | None = None,
    ) -> Answer:
        for attempt in range(_CONFLICT_RETRIES):
            loaded = self._load(request, credential_id, expected)
            try:
                events = decide(command, loaded.state)
                return self._append(request, loaded, events, unused_since=unused_since)
            except VersionConflict as conflict:
                if expected is not None or attempt + 1 == _CONFLICT_RETRIES:
                    raise StaleVersion(expected=loaded.version, actual=conflict.actual) from None
        raise AssertionError("the last attempt returns or raises")

    def _load(self, request: CommandRequest, credential_id: UUID, expected: int | None) -> _Loaded:
        events = self._store.load(credential_id)
        if not events or events[0].metadata.account_id != request.account_id:
            raise CredentialNotFound(credential_id)  # another account's is as unknown as none
        loaded = _Loaded(state=fold(event.payload for event in events), events=events)
        if isinstance(loaded.state, Removed):
            raise CredentialNotFound(credential_id)
        if expected is not None and expected != loaded.version:
            raise StaleVersion(expected=expected, actual=loaded.version)
        return loaded

    def _append(
        self,
        request: CommandRequest,
        loaded: _Loaded,
        events: tuple[Event, ...],
        *,
        unused_since: datetime | None = None,
    ) -> Answer:
        """Append what was decided; the answer is made before, so that it can be stored with it."""
        after = fold(events, loaded.state)
        credential_id = _id(after)
        new = [
            NewEvent(event_id=self._new_id(), payload=event, metadata=request.metadata()) for event in events
        ]
        version = loaded.version + len(new)
        body = self._body(request, loaded, after, new, version)
        if not new:
            return Answer(credential_id=credential_id, version=version, body=body)
        if isinstance(after, Removed):
            appended = self._store.remove(credential_id, loaded.version, new, unused_since=unused_since)
            return Answer(credential_id=credential_id, version=appended.version, body=body)
        stored: dict[str, Any] = {"credential_id": str(credential_id), "body": body}
        key = request.key
        appended = self._store.append(
            credential_id,
            loaded.version,
            new,
            current=CurrentCredential.of(after) if isinstance(after, Active) else None,
            request=IdempotentRequest(key=key.key, fingerprint=key.fingerprint, response=stored)
            if key
            else None,
        )
        response: Mapping[str, Any] = appended.response or stored
        return Answer(
            credential_id=UUID(response["credential_id"]),
            version=appended.version,
            body=response["body"],
            replayed=appended.replayed,
        )

    def _body(
        self,
        request: CommandRequest,
        loaded: _Loaded,
        after: Credential,
        new: Sequence[NewEvent],
        version: int,
    ) -> dict[str, Any]:
        if new and isinstance(new[-1].payload, VerificationRequested):
            requested = new[-1].payload
            return pending_verification(new[-1].event_id, requested.trigger, requested.secret_version)
        if not isinstance(after, Active):
            return {}
        changes = [event for event in loaded.events if not isinstance(event.payload, VerificationRequested)]
        history = History(
            account_id=request.account_id,
            version=version,
            created_at=loaded.events[0].metadata.occurred_at if loaded.events else request.now,
            updated_at=request.now if new else changes[-1].metadata.occurred_at,
            outcomes=self._store.outcomes(after.credential_id) if loaded.events else (),
        )
        return credential_answer(after, history)

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

    @staticmethod
    def _discard(discard: Callable[[], None]) -> None:
        try:
            discard()
        except SecretStoreError as error:
            log.warning("orphan_left_to_sweep", error=type(error).__name__)


def _active(loaded: _Loaded) -> Active:
    if not isinstance(loaded.state, Active):
        raise CredentialNotFound(None)
    return loaded.state


def _id(state: Credential) -> UUID:
    if isinstance(state, Absent):
        raise TypeError("a command leaves a credential behind")
    return state.credential_id
