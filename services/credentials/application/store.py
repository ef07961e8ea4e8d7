"""The port through which commands read and write streams of credentials."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from chassis.runtime.unavailable import Unavailable
from contracts.credential import Active
from contracts.issuance_events import Workload
from contracts.verification_events import RotationTested, VerificationFailed, VerificationSucceeded
from credentials.domain.commands import MAX_WORKLOADS, WorkloadUsage
from eventlog.events import NewEvent, RecordedEvent
from eventlog.storage import Appended, IdempotentRequest
from registries.matching import Candidate

Outcome = VerificationSucceeded | VerificationFailed


@dataclass(frozen=True, slots=True)
class RecordedOutcome:
    """The outcome of a verification, and the stream and version of its event."""

    outcome: Outcome
    stream_id: UUID
    version: int


def recorded_outcome(event: RecordedEvent | None) -> RecordedOutcome | None:
    """Return the outcome that an event of a verification stream records; `None` if it records none."""
    if event is None or not isinstance(event.payload, VerificationSucceeded | VerificationFailed):
        return None
    return RecordedOutcome(event.payload, event.stream.id, event.version)


class RequestedRotation(NamedTuple):
    """A rotation that waits for an accepted login."""

    account_id: str
    credential_id: UUID
    rotation_id: UUID


@dataclass(frozen=True, slots=True)
class CredentialUsage:
    """A workload to which the secret of a credential was issued."""

    credential_id: UUID
    usage: WorkloadUsage


class DecidedOnOldVersion(Exception):
    """A credential has changed since the decision to issue its secret. The caller has to decide again."""


class StateDamaged(Unavailable):
    """The stored state of a credential is not what the service wrote; nothing was decided on it."""

    code = "credential_state_damaged"
    sentence = (
        "the stored state of a credential of this account differs from the log, so nothing is issued;"
        " the operator must run `regcred doctor`"
    )
    retry_after = 60

    def __init__(self, credential_id: UUID) -> None:
        super().__init__(f"the state of credential {credential_id} differs from the log")
        self.credential_id = credential_id


class SecretDiscarded(Exception):
    """The sweep has discarded the version of the secret. The caller has to write it again."""


class UsedMeanwhile(Exception):
    """The secret was issued since the decision to remove the credential. The caller has to decide again."""


class CredentialStore(Protocol):
    """Streams of credentials, and the workloads that use them.

    Adapters: `credentials.postgres_store`, and one in memory for tests.
    """

    def load(self, credential_id: UUID) -> list[RecordedEvent]:
        """Return the events that determine a credential, oldest first; none if it does not exist.

        They are its first event and the newest of each type (`contracts.credential_events`), so that the cost
        of a command does not grow with the stream.
        """

    def last_outcome(self, credential_id: UUID, secret_version: int) -> RecordedOutcome | None:
        """Return the newest outcome of a verification of this version of the secret."""

    def outcome_of(self, verification_id: UUID) -> RecordedOutcome | None:
        """Return the outcome of a verification; `None` while it is pending."""

    def rotation_test(self, rotation_id: UUID) -> RotationTested | None:
        """Return the login with the secret of a requested rotation; `None` before it."""

    def requested_rotations(self, after: UUID | None, limit: int) -> Sequence[RequestedRotation]:
        """Return up to `limit` requested rotations in the order of their credentials, after that one."""

    def name_taken(self, account_id: str, name: str) -> bool:
        """Return whether a credential of the account has that name. Case does not matter."""

    def identified(self, account_id: str, credential: UUID | str) -> UUID | None:
        """Return the id of the account's credential with this id, or with this name. Case does not matter."""

    def number_of_credentials(self, account_id: str) -> int:
        """Return how many credentials the account has."""

    def replay(self, account_id: str, key: str, fingerprint: bytes) -> Appended | None:
        """Return the stored response of that request; `None` if there is none.

        Raises:
            IdempotencyKeyReused: the key was used for another request.
        """

    def append(
        self,
        credential_id: UUID,
        expected_version: int,
        events: Sequence[NewEvent],
        *,
        current: Active | None,
        request: IdempotentRequest | None,
    ) -> Appended:
        """Append as `EventStore.append`, and write `current` in the same transaction.

        `current` is the credential after the append (`None`: removed). It makes names unique, and candidates
        are found by it.

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
        """Append the removal, unless the secret was issued at `unused_since` or later.

        `None` removes the credential in any case. An issuance comes completely before or after the removal.

        Raises:
            UsedMeanwhile: the secret was issued; nothing was written.
        """

    def usages(
        self, credential_id: UUID, *, since: datetime, most: int | None = MAX_WORKLOADS + 1
    ) -> tuple[WorkloadUsage, ...]:
        """Return the workloads to which its secret was issued at `since` or later, the latest first.

        At most `most` are returned (`None`: all); by default one more than `MAX_WORKLOADS`, which shows that
        there are more. They are consistent with the log.
        """

    def usages_of(
        self, account_id: str, project_id: str, workload: Workload | None, *, most: int
    ) -> tuple[CredentialUsage, ...]:
        """Return the usages of a workload, the latest first, `most` at most; `None`: of the whole project."""

    def release(
        self, release_id: UUID, events: Sequence[NewEvent], *, request: IdempotentRequest | None
    ) -> Appended:
        """Record a release as its complete stream of `WorkloadReleased`, and delete these usages.

        An issuance comes completely before or after the release, also in the log.

        Raises:
            DecidedOnOldVersion: a credential was removed; nothing was written. Other errors are those of
                `EventStore.append`.
        """

    def registry_hosts(self, account_id: str, *, after: str, limit: int) -> list[str]:
        """Return the first canonical hosts after `after` for which the account has credentials, in order."""

    def candidates(self, account_id: str, hosts: Sequence[str], *, mirrors: bool = False) -> list[Candidate]:
        """Return the account's credentials for these canonical hosts, unordered, consistent with the log.

        With `mirrors` also those for mirrors of them.

        Raises:
            StateDamaged: the stored state of one was changed by others than the service.
        """

    def issue(
        self,
        issuance_id: UUID,
        events: Sequence[NewEvent],
        *,
        decided_on: Mapping[UUID, int],
        request: IdempotentRequest | None,
    ) -> Appended:
        """Record an issuance as its complete stream, if each credential of `decided_on` has that version.

        A change of a credential comes completely before or after the issuance, also in the log.

        Raises:
            DecidedOnOldVersion: a credential has another version; nothing was written. Other errors are those
                of `EventStore.append`.
            StateDamaged: the stored state of one is that of an earlier version.
        """
