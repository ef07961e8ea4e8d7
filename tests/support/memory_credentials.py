"""`CredentialStore` in memory, for tests."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from contracts.credential import Active
from contracts.issuance_events import SecretIssued, SecretIssuedV2, Workload
from contracts.release_events import WorkloadReleased
from contracts.streams import (
    credential_stream,
    issuance_stream,
    outcome_event_id,
    release_stream,
    verification_stream,
)
from contracts.verdicts import VerificationStatus
from contracts.verification_events import RotationTested, verdict_of
from credentials.application.store import (
    CredentialUsage,
    DecidedOnOldVersion,
    RecordedOutcome,
    RequestedRotation,
    UsedMeanwhile,
    recorded_outcome,
)
from credentials.domain.commands import MAX_WORKLOADS, WorkloadUsage
from credentials.domain.errors import NameTaken
from eventlog.events import NewEvent, RecordedEvent
from eventlog.storage import Appended, IdempotencyKeyReused, IdempotentRequest
from registries.matching import Candidate
from tests.support.memory_eventstore import MemoryEventStore

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class MemoryCredentialStore:
    """A store without a clock: the n-th credential was added n seconds after a fixed time."""

    def __init__(self) -> None:
        self.events = MemoryEventStore()
        self._current: dict[UUID, tuple[str, Active]] = {}
        self._answers: dict[tuple[str, str], tuple[bytes, Appended]] = {}
        self._added: list[UUID] = []
        self._usages: dict[UUID, dict[tuple[str, Workload], WorkloadUsage]] = {}

    def load(self, credential_id: UUID) -> list[RecordedEvent]:
        return self.events.load(credential_stream(credential_id))

    def last_outcome(self, credential_id: UUID, secret_version: int) -> RecordedOutcome | None:
        events = reversed(self.events.load(verification_stream(credential_id)))
        outcomes = (found for event in events if (found := recorded_outcome(event)))
        return next((found for found in outcomes if found.outcome.secret_version == secret_version), None)

    def outcome_of(self, verification_id: UUID) -> RecordedOutcome | None:
        return recorded_outcome(self.events.event(outcome_event_id(verification_id)))

    def rotation_test(self, rotation_id: UUID) -> RotationTested | None:
        event = self.events.event(outcome_event_id(rotation_id))
        return event.payload if event and isinstance(event.payload, RotationTested) else None

    def requested_rotations(self, after: UUID | None, limit: int) -> list[RequestedRotation]:
        found = [
            RequestedRotation(account, credential_id, current.requested.rotation_id)
            for credential_id, (account, current) in sorted(self._current.items())
            if current.requested and (after is None or credential_id > after)
        ]
        return found[:limit]

    def name_taken(self, account_id: str, name: str) -> bool:
        return any(
            account == account_id and current.details.name.lower() == name.lower()
            for account, current in self._current.values()
        )

    def identified(self, account_id: str, credential: UUID | str) -> UUID | None:
        for credential_id, (account, current) in self._current.items():
            name = current.details.name.lower()
            wanted = credential if isinstance(credential, UUID) else credential.lower()
            if account == account_id and wanted in {credential_id, name}:
                return credential_id
        return None

    def number_of_credentials(self, account_id: str) -> int:
        return sum(account == account_id for account, _ in self._current.values())

    def replay(self, account_id: str, key: str, fingerprint: bytes) -> Appended | None:
        known = self._answers.get((account_id, key))
        if known is None:
            return None
        if known[0] != fingerprint:
            raise IdempotencyKeyReused
        return Appended(version=known[1].version, replayed=True, response=known[1].response)

    def delete_responses(self) -> None:
        """Delete the responses to all keys, as housekeeping does after 24 hours."""
        self._answers.clear()
        self.events.delete_responses()

    def append(
        self,
        credential_id: UUID,
        expected_version: int,
        events: Sequence[NewEvent],
        *,
        current: Active | None,
        request: IdempotentRequest | None,
    ) -> Appended:
        account_id = events[0].metadata.account_id
        if request and (known := self.replay(account_id, request.key, request.fingerprint)):
            return known
        if current and any(
            other != credential_id
            and account == account_id
            and row.details.name.lower() == current.details.name.lower()
            for other, (account, row) in self._current.items()
        ):
            raise NameTaken(current.details.name)
        stream = credential_stream(credential_id)
        appended = self.events.append(stream, expected_version, events, request=request)
        if appended.replayed:
            return appended
        if expected_version == 0:
            self._added.append(credential_id)
        self._current.pop(credential_id, None)
        if current:
            self._current[credential_id] = (account_id, current)
        if request:
            self._answers[account_id, request.key] = (request.fingerprint, appended)
        return appended

    def remove(
        self,
        credential_id: UUID,
        expected_version: int,
        events: Sequence[NewEvent],
        *,
        unused_since: datetime | None,
    ) -> Appended:
        if unused_since is not None and self.usages(credential_id, since=unused_since):
            raise UsedMeanwhile
        appended = self.append(credential_id, expected_version, events, current=None, request=None)
        self._usages.pop(credential_id, None)
        return appended

    def usages(
        self, credential_id: UUID, *, since: datetime, most: int | None = MAX_WORKLOADS + 1
    ) -> tuple[WorkloadUsage, ...]:
        usages = self._usages.get(credential_id, {}).values()
        found = [usage for usage in usages if usage.last_used_at >= since]
        return tuple(sorted(found, key=lambda usage: usage.last_used_at, reverse=True)[:most])

    def usages_of(
        self, account_id: str, project_id: str, workload: Workload | None, *, most: int
    ) -> tuple[CredentialUsage, ...]:
        found = [
            CredentialUsage(credential_id, usage)
            for credential_id, (account, _) in self._current.items()
            for usage in self._usages.get(credential_id, {}).values()
            if account == account_id and usage.project_id == project_id
            if workload is None or usage.workload == workload
        ]
        return tuple(sorted(found, key=lambda one: one.usage.last_used_at, reverse=True)[:most])

    def release(
        self, release_id: UUID, events: Sequence[NewEvent], *, request: IdempotentRequest | None
    ) -> Appended:
        account_id = events[0].metadata.account_id
        if request and (known := self.replay(account_id, request.key, request.fingerprint)):
            return known
        released = [event.payload for event in events if isinstance(event.payload, WorkloadReleased)]
        if any(self._current.get(one.credential_id, ("",))[0] != account_id for one in released):
            raise DecidedOnOldVersion
        appended = self.events.append(release_stream(release_id), 0, events, request=request)
        for one in released:
            self._usages.get(one.credential_id, {}).pop((one.project_id, one.workload), None)
        if request:
            self._answers[account_id, request.key] = (request.fingerprint, appended)
        return appended

    def registry_hosts(self, account_id: str, *, after: str, limit: int) -> list[str]:
        hosts = {
            host
            for account, current in self._current.values()
            if account == account_id
            for host in current.hosts
        }
        return sorted(host for host in hosts if host > after)[:limit]

    def candidates(self, account_id: str, hosts: Sequence[str], *, mirrors: bool = False) -> list[Candidate]:
        return [
            self._candidate(credential_id, current)
            for credential_id, (account, current) in self._current.items()
            if account == account_id
            and not set(hosts).isdisjoint((*current.hosts, *(current.besides.mirror_of if mirrors else ())))
        ]

    def issue(
        self,
        issuance_id: UUID,
        events: Sequence[NewEvent],
        *,
        decided_on: Mapping[UUID, int],
        request: IdempotentRequest | None,
    ) -> Appended:
        account_id = events[0].metadata.account_id
        for credential_id, version in decided_on.items():
            account, _ = self._current.get(credential_id, (None, None))
            if account != account_id or self._version(credential_id) != version:
                raise DecidedOnOldVersion
        if request and (known := self.replay(account_id, request.key, request.fingerprint)):
            return known
        appended = self.events.append(issuance_stream(issuance_id), 0, events, request=request)
        for event in events:
            if (
                isinstance(event.payload, SecretIssued | SecretIssuedV2)
                and event.payload.credential_id in decided_on
            ):
                self._note_use(event.payload, event.metadata.occurred_at)
        if request:
            self._answers[account_id, request.key] = (request.fingerprint, appended)
        return appended

    def _note_use(self, issued: SecretIssued | SecretIssuedV2, moment: datetime) -> None:
        self._usages.setdefault(issued.credential_id, {})[issued.project_id, issued.workload] = WorkloadUsage(
            project_id=issued.project_id,
            workload=issued.workload,
            secret_version=issued.secret_version,
            last_used_at=moment,
        )

    def _version(self, credential_id: UUID) -> int:
        return len(self.events.load(credential_stream(credential_id)))

    def _candidate(self, credential_id: UUID, current: Active) -> Candidate:
        last = self.last_outcome(credential_id, current.secret.version)
        return Candidate(
            credential_id=credential_id,
            version=self._version(credential_id),
            name=current.details.name,
            registry_host=current.registry.host,
            repository_prefixes=current.details.repository_prefixes,
            scope=current.details.scope,
            restrictions=current.restrictions,
            secret_version=current.secret.version,
            frozen=current.frozen,
            additional_hosts=current.besides.additional_hosts,
            mirror_of=current.besides.mirror_of,
            expires_at=current.details.expires_at,
            verification=verdict_of(last.outcome)[0] if last else VerificationStatus.PENDING,
            added_at=_EPOCH + timedelta(seconds=self._added.index(credential_id)),
        )
