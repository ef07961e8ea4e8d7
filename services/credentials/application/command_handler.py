"""The one way of a command: load, decide, append, and again if the stream has moved on meanwhile."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from contracts.credential import (
    Absent,
    Active,
    Credential,
    Removed,
    columns,
    credential_json,
    fold,
)
from contracts.credential_events import VerificationRequested
from contracts.verdicts import VerificationStatus
from contracts.verification import verification_json
from contracts.verification_events import verdict_of
from credentials.application.store import CredentialStore, RecordedOutcome, UsedMeanwhile
from credentials.domain.commands import Command
from credentials.domain.credential import decide
from credentials.domain.errors import CredentialNotFound, StaleVersion
from eventlog.events import Actor, Metadata, NewEvent, RecordedEvent
from eventlog.storage import IdempotentRequest, VersionConflict

ATTEMPTS = 5

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestKey:
    """The caller's idempotency key and the fingerprint (32 bytes, keyed) of what was asked under it."""

    key: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRequest:
    """What surrounds a command; `now` is its one moment in time."""

    account_id: str
    actor: Actor
    now: datetime
    request_id: str
    on_behalf_of: str | None = None
    source_ip: str | None = None
    traceparent: str | None = None
    key: RequestKey | None = None

    def metadata(self) -> Metadata:
        """What its events carry; the request begins a new chain of causes, under its own id."""
        return Metadata(
            account_id=self.account_id,
            actor=self.actor,
            occurred_at=self.now,
            request_id=self.request_id,
            correlation_id=self.request_id,
            on_behalf_of=self.on_behalf_of,
            source_ip=self.source_ip,
            traceparent=self.traceparent,
        )

    def events(self, payloads: Iterable[object], new_id: Callable[[], UUID]) -> list[NewEvent]:
        """The events of these payloads, as they are appended for this request."""
        return [NewEvent(event_id=new_id(), payload=each, metadata=self.metadata()) for each in payloads]

    def idempotent_request(self, response: Mapping[str, Any]) -> IdempotentRequest | None:
        """What is stored under its key, so that a repetition gets the same answer; `None` without a key."""
        if self.key is None:
            return None
        return IdempotentRequest(key=self.key.key, fingerprint=self.key.fingerprint, response=response)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """What is answered: the credential (or the verification) as JSON, and where that is in the log."""

    credential_id: UUID
    version: int
    body: dict[str, Any]
    replayed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A credential, and the events that made it what it is."""

    state: Credential
    events: Sequence[RecordedEvent]

    @property
    def version(self) -> int:
        return len(self.events)

    @property
    def active(self) -> Active:
        if not isinstance(self.state, Active):
            raise CredentialNotFound(None)
        return self.state


NOTHING_YET = Loaded(state=Absent(), events=())


class CommandHandler:
    """Raises `Refused`, `InvalidInput` and `EventStoreError`, as the methods of `CredentialStore` do."""

    def __init__(self, store: CredentialStore, *, new_id: Callable[[], UUID]) -> None:
        self._store = store
        self._new_id = new_id

    def replay(self, request: CommandRequest) -> CommandResult | None:
        """What was answered to the same request under the same key before, if it was."""
        if request.key is None:
            return None
        known = self._store.replay(request.account_id, request.key.key, request.key.fingerprint)
        if known is None or known.response is None:
            return None
        return CommandResult(
            credential_id=UUID(known.response["credential_id"]),
            version=known.version,
            body=known.response["body"],
            replayed=True,
        )

    def handle(
        self,
        request: CommandRequest,
        credential_id: UUID,
        expected: int | None,
        command_for: Callable[[Active], Command],
        *,
        unused_since: datetime | None = None,
    ) -> CommandResult:
        """Carry out the command that `command_for` makes for the credential as it is, at version `expected`
        (`None`: whichever it is; then it is tried again on the next version).

        Raises:
            StaleVersion: the credential is at another version.
            UsedMeanwhile: it is being used again and again while it is to be removed.
        """

        def once() -> CommandResult:
            loaded = self.load(request, credential_id, expected)
            try:
                return self.append(request, loaded, command_for(loaded.active), unused_since=unused_since)
            except VersionConflict as conflict:
                raise StaleVersion(expected=loaded.version, actual=conflict.actual) from None

        moved_on = (UsedMeanwhile,) if expected is not None else (UsedMeanwhile, StaleVersion)
        return retried(once, on=moved_on, attempts=ATTEMPTS)

    def load(self, request: CommandRequest, credential_id: UUID, expected: int | None) -> Loaded:
        """The credential of the account. Raises `CredentialNotFound`, `StaleVersion`."""
        events = self._store.load(credential_id)
        if not events or events[0].metadata.account_id != request.account_id:
            raise CredentialNotFound(credential_id)  # another account's is as unknown as none
        loaded = Loaded(state=fold(event.payload for event in events), events=events)
        if isinstance(loaded.state, Removed):
            raise CredentialNotFound(credential_id)
        if expected is not None and expected != loaded.version:
            raise StaleVersion(expected=expected, actual=loaded.version)
        return loaded

    def append(
        self,
        request: CommandRequest,
        loaded: Loaded,
        command: Command,
        *,
        unused_since: datetime | None = None,
    ) -> CommandResult:
        """Decide, and append what was decided; the answer is made before, so that it can be stored with it.

        Raises:
            VersionConflict: the stream has moved on; nothing was written.
        """
        events = decide(command, loaded.state)
        after = fold(events, loaded.state)
        if isinstance(after, Absent):
            raise TypeError("a command leaves a credential behind")
        credential_id = after.credential_id
        new = request.events(events, self._new_id)
        version = loaded.version + len(new)
        body = self._body(request, loaded, after, new, version)
        if not new:
            return CommandResult(credential_id=credential_id, version=version, body=body)
        if isinstance(after, Removed):
            appended = self._store.remove(credential_id, loaded.version, new, unused_since=unused_since)
            return CommandResult(credential_id=credential_id, version=appended.version, body=body)
        stored: dict[str, Any] = {"credential_id": str(credential_id), "body": body}
        appended = self._store.append(
            credential_id, loaded.version, new, current=after, request=request.idempotent_request(stored)
        )
        response: Mapping[str, Any] = appended.response or stored
        return CommandResult(
            credential_id=UUID(response["credential_id"]),
            version=appended.version,
            body=response["body"],
            replayed=appended.replayed,
        )

    def _body(
        self,
        request: CommandRequest,
        loaded: Loaded,
        after: Active | Removed,
        new: Sequence[NewEvent],
        version: int,
    ) -> dict[str, Any]:
        if new and isinstance(new[-1].payload, VerificationRequested):
            requested = new[-1].payload
            return verification_json(
                verification_id=new[-1].event_id,
                trigger=requested.trigger,
                secret_version=requested.secret_version,
            )
        if isinstance(after, Removed):
            return {}
        changes = [event for event in loaded.events if not isinstance(event.payload, VerificationRequested)]
        row = {
            **columns(after),
            **_last_verification(after, self._store.outcomes(after.credential_id) if loaded.events else ()),
            "credential_id": after.credential_id,
            "account_id": request.account_id,
            "version": version,
            "created_at": loaded.events[0].metadata.occurred_at if loaded.events else request.now,
            "updated_at": request.now if new else changes[-1].metadata.occurred_at,
        }
        return credential_json(row)


def retried(once: Callable[[], _Result], *, on: tuple[type[Exception], ...], attempts: int) -> _Result:
    """What `once` gives, tried again where it raises one of `on`. Raises what the last attempt does."""
    for _ in range(attempts - 1):
        try:
            return once()
        except on:
            continue
    return once()


def _last_verification(credential: Active, outcomes: Sequence[RecordedOutcome]) -> dict[str, object]:
    """The newest outcome that is about the secret as it is now; an older secret's says nothing about it."""
    status, code = VerificationStatus.PENDING, None
    of_this_secret = [
        recorded.outcome
        for recorded in outcomes
        if recorded.outcome.secret_version == credential.secret.version
    ]
    last = of_this_secret[-1] if of_this_secret else None
    if last:
        status, code = verdict_of(last)
    return {
        "verification_status": status,
        "verification_code": code,
        "verification_detail": last.detail if last else None,
        "verification_checked_at": last.checked_at if last else None,
    }
