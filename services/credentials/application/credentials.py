"""The commands of a credential: each method is one use case. `command_handler` executes them.

A secret is written before the event that refers to it. If the append failed, that version is destroyed at
once. If the outcome of the append is unknown, the version stays, and the sweep removes it if no event refers
to it.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from itertools import chain, count
from uuid import UUID, uuid5

from chassis.secret import Secret
from contracts.credential import Absent, Active, Removed
from contracts.credential_events import NO_OTHER_HOSTS, Details, Hosts, Restrictions
from credentials.application.access import Access, Impact
from credentials.application.command_handler import (
    NEW_CREDENTIAL,
    CommandHandler,
    CommandRequest,
    CommandResult,
)
from credentials.application.rotations import Rotations
from credentials.application.store import CredentialStore, RecordedOutcome, SecretDiscarded
from credentials.application.stored_secrets import StoredSecrets
from credentials.domain.commands import (
    DEFAULT_USE_WINDOW,
    AddCredential,
    ChangeDetails,
    FreezeCredential,
    RemoveCredential,
    RequestVerification,
    RestrictCredential,
    ThawCredential,
    Unchanged,
)
from credentials.domain.credential import decide
from credentials.domain.errors import NameTaken, TooManyCredentials
from registries.image_reference import ImageReference
from registries.input.new_secret import NewSecret
from secretstore.store import SecretPath, SecretStore

# Namespace of ids that are derived from a request; it never changes.
_IDS = UUID("0b1d1f0e-3c55-5e0a-8f43-9a7a55a2f6d1")


class Credentials:
    """The commands of a credential. Raises `Refused`, `EventStoreError` and `SecretStoreError`.

    `rotations` has those that replace its secret.

    An account may have `most` credentials (0: any number). Concurrent additions may exceed that.
    """

    def __init__(
        self,
        store: CredentialStore,
        secrets: SecretStore,
        *,
        secret_fingerprint: Callable[[Secret], str],
        new_id: Callable[[], UUID],
        use_window: timedelta = DEFAULT_USE_WINDOW,
        most: int = 0,
    ) -> None:
        self._most = most
        self._store = store
        self._access = Access(store, use_window=use_window)
        self._handler = CommandHandler(store, self._access, new_id=new_id)
        self._stored = StoredSecrets(secrets, fingerprint=secret_fingerprint, new_id=new_id)
        self.rotations = Rotations(store, self._handler, self._stored, new_id=new_id)
        self._new_id = new_id

    def add(
        self,
        request: CommandRequest,
        secret: NewSecret,
        details: Details,
        restrictions: Restrictions,
        besides: Hosts = NO_OTHER_HOSTS,
    ) -> CommandResult:
        """Save a credential. The caller tries `replay` first, before it parses what the request contains."""
        name_taken = self._store.name_taken(request.account_id, details.name)
        credential_id = self._id_from(request)
        # A concurrent repetition may have taken the name or the first id since the caller tried.
        if replayed := self._handler.replay(request):
            return replayed
        path, value = SecretPath(request.account_id, credential_id), secret.login.to_secret()
        command = AddCredential(
            credential_id=credential_id,
            registry=secret.registry,
            username=secret.login.username,
            secret=self._stored.reference(path, value, secret.kind, 1),
            details=details,
            restrictions=restrictions,
            besides=besides,
        )
        decide(command, Absent())  # raises if the command is refused, before a secret is stored
        if name_taken:
            raise NameTaken(details.name)
        if self._most and self._store.number_of_credentials(request.account_id) >= self._most:
            raise TooManyCredentials(self._most)
        if request.dry_run:
            return self._handler.append(request, NEW_CREDENTIAL, command)

        version = self._stored.put_first(path, value, write_id=str(credential_id))
        # With an idempotency key, a concurrent repetition writes the same secret, and its event may refer to
        # it: do not discard the secret.
        with nullcontext() if request.key else self._stored.removed_on_failure(path):
            try:
                referring = replace(command, secret=self._stored.reference(path, value, secret.kind, version))
                return self._handler.append(request, NEW_CREDENTIAL, referring)
            except SecretDiscarded:  # an earlier attempt wrote this version, and the sweep was faster
                version = self._stored.put_next(path, value, version)
                referring = replace(command, secret=self._stored.reference(path, value, secret.kind, version))
                return self._handler.append(request, NEW_CREDENTIAL, referring)

    def replay(self, request: CommandRequest) -> CommandResult | None:
        """Return the stored result of the same request under the same key; `None` if there is none.

        This comes before the values of a request are checked: an expiry that was in the future at the first
        attempt may have passed.
        """
        return self._handler.replay(request)

    def change(
        self,
        request: CommandRequest,
        credential_id: UUID,
        expected: int | None,
        command_for: Callable[[Active], ChangeDetails],
    ) -> CommandResult:
        """Change details at version `expected` (`None`: any version)."""

        def command(credential: Active) -> ChangeDetails:
            change = command_for(credential)
            if request.dry_run and not isinstance(change.name, Unchanged):  # otherwise the append finds it
                owner = self._store.identified(request.account_id, change.name)
                if owner not in {None, credential_id}:
                    raise NameTaken(change.name)
            return change

        return self._handler.handle(request, credential_id, expected, command)

    def restrict(
        self, request: CommandRequest, credential_id: UUID, expected: int | None, restrictions: Restrictions
    ) -> CommandResult:
        """Set the projects that may use it."""
        command = RestrictCredential(restrictions=restrictions)
        return self._handler.handle(request, credential_id, expected, lambda _: command)

    def freeze(self, request: CommandRequest, credential_id: UUID, reason: str) -> CommandResult:
        """Issue its secret to nobody from now on, at whatever version it is."""
        command = FreezeCredential(reason=reason)
        return self._handler.handle(request, credential_id, None, lambda _: command)

    def thaw(
        self, request: CommandRequest, credential_id: UUID, expected: int | None, reason: str | None
    ) -> CommandResult:
        """Issue its secret again."""
        command = ThawCredential(reason=reason)
        return self._handler.handle(request, credential_id, expected, lambda _: command)

    def request_verification(
        self,
        request: CommandRequest,
        credential_id: UUID,
        image: ImageReference | None = None,
        *,
        admit: Callable[[UUID], None] | None = None,
    ) -> CommandResult:
        """Request a new login, and a probe of an image. The result has the pending verification.

        `admit` is called once, with the id of a credential that exists. It raises if that is too many logins.
        """
        if replayed := self._handler.replay(request):
            return replayed
        admitted = admit is None or request.dry_run

        def command(_credential: Active) -> RequestVerification:
            nonlocal admitted
            if admit is not None and not admitted:  # a repetition after a conflict is not another login
                admit(credential_id)
                admitted = True
            return RequestVerification(trigger="requested", image=image)

        return self._handler.handle(request, credential_id, None, command)

    def remove(
        self,
        request: CommandRequest,
        credential_id: UUID,
        expected: int | None,
        *,
        reason: str | None,
        forced: bool,
    ) -> CommandResult:
        """Remove it permanently. Housekeeping destroys its secret and retries until that succeeds.

        Raises:
            CredentialInUse: its secret was issued within the window, and the removal is not `forced`.
        """
        since = self._access.since(request.now)

        def command(_credential: Active) -> RemoveCredential:
            usages = self._store.usages(credential_id, since=since)
            return RemoveCredential(reason=reason, forced=forced, usages=usages)

        unused_since = None if forced else since
        return self._handler.handle(request, credential_id, expected, command, unused_since=unused_since)

    def removal(self, request: CommandRequest, credential_id: UUID, expected: int | None) -> Impact:
        """Return the effect of the removal. Nothing is changed."""
        loaded = self._handler.load(request, credential_id, expected)
        after = Removed(credential_id)
        return self._access.impact(request.account_id, loaded.active, loaded.version, after, request.now)

    def outcome_of(self, verification_id: UUID) -> RecordedOutcome | None:
        """Return the outcome of a verification; `None` while it is pending."""
        return self._store.outcome_of(verification_id)

    def _id_from(self, request: CommandRequest) -> UUID:
        """Return the id of a new credential. Under a key, it is derived from the request.

        A request that is repeated after an unknown outcome then writes the same secret to the same path. An
        id that was used before is skipped: a key can be used again after its response was deleted, and the
        credential of the first time may have been removed.
        """
        if request.key is None:
            return self._new_id()
        name = f"{request.account_id}:{request.key.key}:{request.key.fingerprint.hex()}"
        derived = chain([uuid5(_IDS, name)], (uuid5(_IDS, f"{name}:{number}") for number in count(1)))
        return next(credential_id for credential_id in derived if not self._store.load(credential_id))
