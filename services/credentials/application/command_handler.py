"""Execute a command: load, decide, append, and repeat this if the stream has changed meanwhile.

The version of a credential is that of its last change. A requested verification is an event of the same
stream, but no change: it leaves the version that callers edit with.
"""

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
    is_change,
)
from contracts.credential_events import CredentialHostsChanged, VerificationRequested
from contracts.verdicts import VerificationStatus
from contracts.verification import verification_json
from contracts.verification_events import verdict_of
from credentials.application.access import Access, Impact
from credentials.application.store import CredentialStore, RecordedOutcome, UsedMeanwhile
from credentials.domain.commands import Command
from credentials.domain.credential import decide
from credentials.domain.errors import CredentialNotFound, StaleVersion
from eventlog.events import Actor, Metadata, NewEvent, RecordedEvent
from eventlog.storage import Appended, IdempotencyKeyReused, IdempotentRequest, VersionConflict

ATTEMPTS = 100  # a conflict means that another command succeeded, so this many would have to come at once

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestKey:
    """The caller's idempotency key, and the keyed fingerprint (32 bytes) of what the request means.

    `former_fingerprint` is that of the bytes of the request: 0.9.0 stored it, for a day.
    """

    key: str
    fingerprint: bytes
    former_fingerprint: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRequest:
    """The context of a command: account, actor, time, ids, idempotency key.

    `now` is the time of the command and of all its events. A command with `dry_run` is decided, and nothing
    is written: no event, no secret, and no response under the key. `force_reason` is the reason for a change
    that is made although workloads lose the credential by it. `caused_by` is the event that led to it, if
    that is not the request itself.
    """

    account_id: str
    actor: Actor
    now: datetime
    request_id: str
    on_behalf_of: str | None = None
    source_ip: str | None = None
    traceparent: str | None = None
    key: RequestKey | None = None
    dry_run: bool = False
    force_reason: str | None = None
    caused_by: RecordedEvent | None = None

    def metadata(self) -> Metadata:
        """Return the metadata of its events. Without a cause, they start a causal chain under its id."""
        cause = self.caused_by
        return Metadata(
            account_id=self.account_id,
            actor=self.actor,
            occurred_at=self.now,
            request_id=self.request_id,
            correlation_id=cause.metadata.correlation_id if cause else self.request_id,
            causation_id=str(cause.event_id) if cause else None,
            on_behalf_of=self.on_behalf_of,
            source_ip=self.source_ip,
            traceparent=self.traceparent,
        )

    def events(self, payloads: Iterable[object], new_id: Callable[[], UUID]) -> list[NewEvent]:
        """Return events with these payloads and the metadata of the request."""
        return [NewEvent(event_id=new_id(), payload=each, metadata=self.metadata()) for each in payloads]

    def idempotent_request(self, response: Mapping[str, Any]) -> IdempotentRequest | None:
        """Return the request with the response that a repetition gets; `None` without a key."""
        if self.key is None:
            return None
        return IdempotentRequest(key=self.key.key, fingerprint=self.key.fingerprint, response=response)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """The result of a command: the credential or verification as JSON.

    `version` is that of the credential, `stream_version` that of its stream after the command. Only the dry
    run of a change has an `impact`.
    """

    credential_id: UUID
    version: int
    stream_version: int
    body: dict[str, Any]
    replayed: bool = False
    impact: Impact | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedCredential:
    """A credential, and the events that determine it."""

    state: Credential
    events: Sequence[RecordedEvent]

    @property
    def stream_version(self) -> int:
        """The version of the stream, which the next append expects; 0 for a new one."""
        return self.events[-1].version if self.events else 0

    @property
    def version(self) -> int:
        """The version of the last change, which callers edit with; 0 for a new credential."""
        changes = self.changes
        return changes[-1].version if changes else 0

    @property
    def changes(self) -> Sequence[RecordedEvent]:
        return [event for event in self.events if is_change(event.payload)]

    @property
    def active(self) -> Active:
        if not isinstance(self.state, Active):
            raise CredentialNotFound(None)
        return self.state


NEW_CREDENTIAL = LoadedCredential(state=Absent(), events=())


class CommandHandler:
    """Executes commands. Its methods raise `Refused`, `InvalidInput` and `EventStoreError`.

    `VersionConflict` is raised after `ATTEMPTS` attempts: the credential is changing too often.
    """

    def __init__(self, store: CredentialStore, access: Access, *, new_id: Callable[[], UUID]) -> None:
        self._store = store
        self._access = access
        self._new_id = new_id

    def replay(self, request: CommandRequest) -> CommandResult | None:
        """Return the stored result of the same request under the same key; `None` if there is none."""
        if request.key is None or request.dry_run:
            return None
        known = self._known(request.account_id, request.key)
        if known is None or known.response is None:
            return None
        return CommandResult(
            credential_id=UUID(known.response["credential_id"]),
            version=known.response["version"],
            stream_version=known.version,
            body=known.response["body"],
            replayed=True,
        )

    def _known(self, account_id: str, key: RequestKey) -> Appended | None:
        try:
            return self._store.replay(account_id, key.key, key.fingerprint)
        except IdempotencyKeyReused:
            if key.former_fingerprint is None:
                raise
            return self._store.replay(account_id, key.key, key.former_fingerprint)

    def handle(
        self,
        request: CommandRequest,
        credential_id: UUID,
        expected: int | None,
        command_for: Callable[[Active], Command],
        *,
        unused_since: datetime | None = None,
    ) -> CommandResult:
        """Execute the command that `command_for` returns for the credential at version `expected`.

        If `expected` is `None`, any version is accepted. A command that conflicts with another one is decided
        again on what the other one left: a change makes `expected` stale, a removal makes it not found.

        Raises:
            StaleVersion: the credential is at another version.
            UsedMeanwhile: its secret was issued during every attempt to remove it.
        """

        def once() -> CommandResult:
            loaded = self.load(request, credential_id, expected)
            return self.append(request, loaded, command_for(loaded.active), unused_since=unused_since)

        return retried(once, on=(UsedMeanwhile, VersionConflict), attempts=ATTEMPTS)

    def load(self, request: CommandRequest, credential_id: UUID, expected: int | None) -> LoadedCredential:
        """Return the credential of the account. Raises `CredentialNotFound`, `StaleVersion`."""
        loaded = self.load_any(request.account_id, credential_id)
        if expected is not None and expected != loaded.version:
            raise StaleVersion(expected=expected, actual=loaded.version)
        return loaded

    def load_any(self, account_id: str, credential_id: UUID) -> LoadedCredential:
        """Return the credential of the account at any version. Raises `CredentialNotFound`."""
        events = self._store.load(credential_id)
        if not events or events[0].metadata.account_id != account_id:
            raise CredentialNotFound(credential_id)  # the same for a credential of another account
        loaded = LoadedCredential(state=fold(event.payload for event in events), events=events)
        if not isinstance(loaded.state, Active):  # it was removed, or this is another stream
            raise CredentialNotFound(credential_id)
        return loaded

    def append(
        self,
        request: CommandRequest,
        loaded: LoadedCredential,
        command: Command,
        *,
        unused_since: datetime | None = None,
    ) -> CommandResult:
        """Decide and append. The response is built before the append, so that it is stored with the events.

        Raises:
            VersionConflict: the stream has another version; nothing was written.
            CredentialInUse: workloads lose the credential, and the change is not forced.
        """
        impact = None
        if request.dry_run:
            events: tuple[object, ...] = decide(command, loaded.state)
            impact = self._impact(request, loaded, fold(events, loaded.state))
        else:
            events = self.check(request, loaded, command)
        after = fold(events, loaded.state)
        if isinstance(after, Absent):
            raise TypeError("a command results in a credential")
        credential_id = after.credential_id
        new = request.events(events, self._new_id)
        # A forced change has one event more, which a dry run counts and does not decide.
        withdrawal = isinstance(after, Active) and impact is not None and impact.needs_force
        stream_version = loaded.stream_version + len(new) + withdrawal
        version = stream_version if new and is_change(events[-1]) else loaded.version
        body = self._body(request, loaded, after, new, version)
        result = CommandResult(
            credential_id=credential_id,
            version=version,
            stream_version=stream_version,
            body=body,
            impact=impact,
        )
        if not new or request.dry_run:
            return result
        if isinstance(after, Removed):
            self._store.remove(credential_id, loaded.stream_version, new, unused_since=unused_since)
            return result
        stored: dict[str, Any] = {"credential_id": str(credential_id), "version": version, "body": body}
        appended = self._store.append(
            credential_id,
            loaded.stream_version,
            new,
            current=after,
            request=request.idempotent_request(stored),
        )
        response: Mapping[str, Any] = appended.response or stored
        return CommandResult(
            credential_id=UUID(response["credential_id"]),
            version=response["version"],
            stream_version=appended.version,
            body=response["body"],
            replayed=appended.replayed,
        )

    def check(
        self, request: CommandRequest, loaded: LoadedCredential, command: Command
    ) -> tuple[object, ...]:
        """Return the events of a command, and before them that workloads lose the credential by it.

        Raises:
            CredentialInUse: workloads lose it, and the change is not forced.
        """
        events = decide(command, loaded.state)
        if not isinstance(loaded.state, Active):
            return events
        after = fold(events, loaded.state)
        lost = self._access.withdrawn(loaded.state, after, now=request.now, reason=request.force_reason)
        return (*lost, *events)

    def _impact(self, request: CommandRequest, loaded: LoadedCredential, after: Credential) -> Impact | None:
        before = loaded.state
        if not isinstance(before, Active):
            return None
        return self._access.impact(request.account_id, before, loaded.version, after, request.now)

    def _body(
        self,
        request: CommandRequest,
        loaded: LoadedCredential,
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
        changed = new and is_change(new[-1].payload)
        row = {
            **columns(after),
            **_verification(self._last_outcome(loaded, new, after)),
            "credential_id": after.credential_id,
            "account_id": request.account_id,
            "version": version,
            "created_at": loaded.events[0].metadata.occurred_at if loaded.events else request.now,
            "updated_at": request.now if changed else loaded.changes[-1].metadata.occurred_at,
        }
        return credential_json(row)

    def _last_outcome(
        self, loaded: LoadedCredential, new: Sequence[NewEvent], after: Active
    ) -> RecordedOutcome | None:
        """Return the last outcome of the current secret at the current hosts."""
        if not loaded.events or any(isinstance(event.payload, CredentialHostsChanged) for event in new):
            return None
        last = self._store.last_outcome(after.credential_id, after.secret.version)
        changes = (one for one in loaded.events if isinstance(one.payload, CredentialHostsChanged))
        changed = next((one.metadata.occurred_at for one in changes), None)
        return None if last and changed and last.outcome.checked_at < changed else last


def retried(once: Callable[[], _Result], *, on: tuple[type[Exception], ...], attempts: int) -> _Result:
    """Return the result of `once`, which is repeated if it raises one of `on`, up to `attempts` times."""
    for _ in range(attempts - 1):
        try:
            return once()
        except on:
            continue
    return once()


def _verification(last: RecordedOutcome | None) -> dict[str, object]:
    """Return the columns of the last outcome; without one the verification is pending."""
    status, code = verdict_of(last.outcome) if last else (VerificationStatus.PENDING, None)
    return {
        "verification_status": status,
        "verification_code": code,
        "verification_detail": last.outcome.detail if last else None,
        "verification_checked_at": last.outcome.checked_at if last else None,
    }
