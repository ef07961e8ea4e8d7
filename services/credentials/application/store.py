"""What the commands need of the event store."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from contracts.credential import Active
from contracts.verification_events import VerificationFailed, VerificationSucceeded
from credentials.domain.commands import WorkloadUsage
from credentials.domain.matching import Candidate
from eventlog.events import NewEvent, RecordedEvent
from eventlog.storage import Appended, IdempotentRequest

Outcome = VerificationSucceeded | VerificationFailed


@dataclass(frozen=True, slots=True)
class RecordedOutcome:
    """The outcome of one verification, and its event's place in the log."""

    outcome: Outcome
    stream_id: UUID
    version: int


def recorded_outcomes(events: Iterable[RecordedEvent]) -> list[RecordedOutcome]:
    """The outcomes among the events of a stream of verifications."""
    return [
        RecordedOutcome(event.payload, event.stream.id, event.version)
        for event in events
        if isinstance(event.payload, VerificationSucceeded | VerificationFailed)
    ]


class DecidedOnOldVersion(Exception):
    """A credential has changed since it was decided to give it out: decide again."""


class UsedMeanwhile(Exception):
    """A workload was given the credential since it was decided to remove it: decide again."""


class CredentialStore(Protocol):
    """Streams of credentials, and who uses them. Adapters: `credentials.postgres_store`, and one in
    memory for tests.
    """

    def load(self, credential_id: UUID) -> list[RecordedEvent]:
        """All events of a credential, oldest first."""

    def outcomes(self, credential_id: UUID) -> list[RecordedOutcome]:
        """The outcomes of its verifications, oldest first."""

    def name_taken(self, account_id: str, name: str) -> bool:
        """Whether a credential of the account has that name, upper and lower case alike."""

    def replay(self, account_id: str, key: str, fingerprint: bytes) -> Appended | None:
        """What was answered to that request before. Raises `IdempotencyKeyReused` if it was another one."""

    def append(
        self,
        credential_id: UUID,
        expected_version: int,
        events: Sequence[NewEvent],
        *,
        current: Active | None,
        request: IdempotentRequest | None,
    ) -> Appended:
        """As `EventStore.append`, with the credential as it is afterwards (`None`: removed), by which names
        are unique and candidates are found, in one transaction.

        Raises:
            NameTaken: nothing was written.
        """

    def remove(
        self,
        credential_id: UUID,
        expected_version: int,
        events: Sequence[NewEvent],
        *,
        unused_since: datetime | None,
    ) -> Appended:
        """As `append` of a credential that is gone afterwards, if no workload was given its secret at
        `unused_since` or later (`None`: even then). An issuance comes wholly before this or after it.

        Raises:
            UsedMeanwhile: one was; nothing was written.
        """

    def usages(self, credential_id: UUID, *, since: datetime) -> tuple[WorkloadUsage, ...]:
        """The workloads to which its secret was issued at `since` or later, the last one first,
        `MAX_WORKLOADS` at most; never lagging.
        """

    def candidates(self, account_id: str, hosts: Sequence[str]) -> list[Candidate]:
        """The account's credentials for registries of these canonical hosts, in any order; never lagging."""

    def issue(
        self,
        issuance_id: UUID,
        events: Sequence[NewEvent],
        *,
        decided_on: Mapping[UUID, int],
        request: IdempotentRequest | None,
    ) -> Appended:
        """Record what is given out, as an issuance's whole stream, if every credential of `decided_on` still
        has that version. What changes a credential comes wholly before this or after it, in the log too.

        Raises:
            DecidedOnOldVersion: one is not; nothing was written. Else as `EventStore.append`.
        """
