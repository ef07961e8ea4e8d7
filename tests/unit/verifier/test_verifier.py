"""Each event has one outcome, even if it is handled repeatedly or the credential changes meanwhile."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from threading import Barrier

import pytest
from msgspec import structs

from chassis.secret import Secret
from contracts.streams import verification_stream
from contracts.verdicts import VerificationCode
from contracts.verification_events import VerificationFailed, VerificationSucceeded
from eventlog.events import NewEvent, RecordedEvent, StreamId
from eventlog.storage import Appended, IdempotentRequest, OutcomeUnknown, VersionConflict
from registries.image_reference import ImageReference
from registries.logins.cloud_keys import StoredLogin
from registries.logins.registry_login import RegistryLogin
from registries.protocol.login import Probe, Verdict
from secretstore.store import SecretMissing, SecretPath
from tests.support.eventstore_suite import MOMENT, an_id
from tests.support.memory_eventstore import MemoryEventStore
from tests.support.memory_secretstore import MemorySecretStore
from tests.unit.verifier.events import (
    CHANGED,
    CORP,
    DETAILS,
    HUB,
    ID,
    METADATA,
    REMOVED,
    STREAM,
    Credential,
    added,
    requested,
    rotated,
)
from verifier.policy import verification_for
from verifier.verifier import ACTOR, STORE_LAG, Verifier

PATH = SecretPath("acme", ID)
OUTCOMES = verification_stream(ID)
GOOD = Verdict(code=None, detail="the registry accepted the login", confidence="weak")


def nothing() -> None:
    """The default of `during_login` and `after_reading`."""


@dataclass
class World:
    """A credential, its secrets, the stream of the verifier, and registries that give `verdict`."""

    credential: Credential
    verdict: Verdict = GOOD
    at: datetime = MOMENT
    after_reading: Callable[[], None] = nothing  # after the verifier has read the credential
    during_login: Callable[[], None] = nothing
    store: MemoryEventStore = field(default_factory=MemoryEventStore)
    secrets: MemorySecretStore = field(default_factory=MemorySecretStore)
    logins: list[tuple[str, str, str, str]] = field(default_factory=list)
    probes: list[Probe | None] = field(default_factory=list)
    ids: Iterator[int] = field(default_factory=lambda: count(1))

    def keep(self, *passwords: str) -> None:
        for version, password in enumerate(passwords):
            secret = RegistryLogin(username="octo", password=Secret(password)).to_secret()
            self.secrets.put(PATH, secret, write_id=f"w{version}", expected_version=version)

    def verifier(self) -> Verifier:
        seconds = count(10)
        return Verifier(
            self.store,
            self.secrets,
            self.log_in,
            streams=self.read,
            now=lambda: self.at,
            monotonic=lambda: float(next(seconds)),
            new_id=lambda: an_id(f"outcome {next(self.ids)}"),
        )

    def handle(self, event: RecordedEvent) -> None:
        """As `VerificationHandler` does, which also keeps a schedule."""
        wanted = verification_for(event, self.read(event.stream))
        if wanted is not None:
            self.verifier().verify(wanted, event)

    def log_in(
        self,
        *,
        registry_host: str,
        api_host: str,
        login: StoredLogin,
        provider: str,
        probe: Probe | None = None,
    ) -> Verdict:
        assert isinstance(login, RegistryLogin)
        self.probes.append(probe)
        self.logins.append((registry_host, api_host, provider, (login.password or Secret("")).reveal()))
        self.during_login()
        return self.verdict

    def read(self, stream: StreamId) -> list[RecordedEvent]:
        assert stream == STREAM
        history = self.credential.history()
        self.after_reading()
        return history

    def outcomes(self) -> list[object]:
        return [event.payload for event in self.store.load(OUTCOMES)]


def world(*payloads: object, passwords: tuple[str, ...] = ("pa55-1", "pa55-2", "pa55-3")) -> World:
    made = World(Credential(*payloads))
    made.keep(*passwords)
    return made


def test_a_successful_login_is_recorded_with_all_fields() -> None:
    it = world(added(HUB))
    [event] = it.credential.history()
    it.handle(event)
    assert it.logins == [("docker.io", "registry-1.docker.io", "dockerhub", "pa55-1")]
    [recorded] = it.store.load(OUTCOMES)
    assert recorded.payload == VerificationSucceeded(
        verification_id=event.event_id,
        credential_id=ID,
        registry_host="docker.io",
        provider="dockerhub",
        secret_version=1,
        trigger="added",
        detail=GOOD.detail,
        confidence="weak",
        checked_at=MOMENT,
        duration_ms=1000,
    )
    assert recorded.metadata == replace(METADATA, actor=ACTOR, causation_id=str(event.event_id))


def test_a_requested_image_is_probed() -> None:
    it = world(added(CORP))
    event = it.credential.happened(requested(1, image="reg.corp.example:5000/team/app:1"))
    it.handle(event)
    image = ImageReference.parse("reg.corp.example:5000/team/app:1")
    assert it.probes == [Probe(image=image, push=DETAILS.scope.push)]


def test_a_failed_login_is_recorded() -> None:
    it = world(added(CORP), rotated(2, CORP))
    it.verdict = Verdict(code=VerificationCode.RATE_LIMITED, detail="no more for now", retry_after=30)
    event = it.credential.history()[-1]
    it.handle(event)
    assert it.logins == [("reg.corp.example:5000", "reg.corp.example:5000", "custom", "pa55-2")]
    assert it.outcomes() == [
        VerificationFailed(
            verification_id=event.event_id,
            credential_id=ID,
            registry_host="reg.corp.example:5000",
            provider="custom",
            secret_version=2,
            trigger="rotated",
            code=VerificationCode.RATE_LIMITED,
            detail="no more for now",
            retry_after=30,
            checked_at=MOMENT,
            duration_ms=1000,
        )
    ]


def test_an_event_that_is_handled_again_causes_no_second_login() -> None:
    it = world(added())
    [event] = it.credential.history()
    it.handle(event)
    it.handle(event)
    assert (len(it.logins), len(it.outcomes())) == (1, 1)


def test_an_event_that_is_handled_concurrently_has_one_outcome() -> None:
    it = world(added())
    [event] = it.credential.history()
    together = Barrier(2, timeout=5)

    def wait() -> None:
        together.wait()

    it.during_login = wait
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(it.handle, event) for _ in range(2)]:
            done.result()
    assert (len(it.logins), len(it.outcomes())) == (2, 1)


def test_each_event_has_its_own_outcome() -> None:
    it = world(added(), requested(1), requested(1))
    for event in it.credential.history():
        it.handle(event)
    assert len({getattr(outcome, "verification_id", None) for outcome in it.outcomes()}) == 3


@pytest.mark.parametrize("later", [rotated(2), REMOVED])
def test_a_replaced_or_removed_secret_causes_no_login(later: object) -> None:
    it = world(added(), later)
    it.handle(it.credential.history()[0])
    assert (it.logins, it.outcomes()) == ([], [])


def test_other_events_cause_no_login() -> None:
    it = world(added(), CHANGED, REMOVED)
    for event in it.credential.history()[1:]:
        it.handle(event)
    assert (it.logins, it.outcomes()) == ([], [])


def test_an_outcome_is_appended_after_that_of_a_faster_verification() -> None:
    it = world(added(), requested(1))
    first, second = it.credential.history()

    def overtake() -> None:
        it.during_login = nothing
        it.handle(second)

    it.during_login = overtake
    it.handle(first)
    assert [getattr(outcome, "verification_id", None) for outcome in it.outcomes()] == [
        second.event_id,
        first.event_id,
    ]


class RacingStore(MemoryEventStore):
    """Each append conflicts `times` times and then succeeds. Its response can be lost."""

    def __init__(self, times: int, *, lose_the_answer: bool = False) -> None:
        super().__init__()
        self.times = times
        self.lose_the_answer = lose_the_answer

    def append(
        self,
        stream: StreamId,
        expected_version: int,
        events: Sequence[NewEvent],
        *,
        request: IdempotentRequest | None = None,
    ) -> Appended:
        if self.times:
            self.times -= 1
            other = replace(events[0], event_id=an_id(f"other {self.times}"))
            payload = replace(_succeeded(events[0]), verification_id=other.event_id)
            super().append(stream, len(self.load(stream)), [replace(other, payload=payload)])
        appended = super().append(stream, expected_version, events, request=request)
        if self.lose_the_answer:
            self.lose_the_answer = False
            raise OutcomeUnknown
        return appended


def _succeeded(event: NewEvent) -> VerificationSucceeded:
    assert isinstance(event.payload, VerificationSucceeded)
    return event.payload


def test_a_conflicting_append_is_retried_without_another_login() -> None:
    it = world(added())
    it.store = RacingStore(3)
    [event] = it.credential.history()
    it.handle(event)
    assert len(it.logins) == 1
    assert getattr(it.outcomes()[-1], "verification_id", None) == event.event_id
    assert len(it.outcomes()) == 4


def test_an_append_with_a_lost_response_is_recorded_once() -> None:
    it = world(added())
    it.store = RacingStore(0, lose_the_answer=True)
    [event] = it.credential.history()
    with pytest.raises(OutcomeUnknown):
        it.handle(event)
    it.handle(event)
    assert (len(it.logins), len(it.outcomes())) == (1, 1)


def recorded_at_moment(it: World) -> RecordedEvent:
    """The first event. The clock of the process that appended it is an hour ahead of the database."""
    event = it.credential.history()[0]
    metadata = replace(event.metadata, occurred_at=MOMENT + timedelta(hours=1))
    return structs.replace(event, recorded_at=MOMENT, metadata=metadata)


def test_a_secret_that_is_missing_just_after_its_event_is_an_error() -> None:
    """The store may lag, so that the event is retried."""
    it = world(added(), passwords=())
    with pytest.raises(SecretMissing):
        it.handle(recorded_at_moment(it))
    assert (it.logins, it.outcomes()) == ([], [])


@pytest.mark.parametrize("fault", ["missing", "destroyed"])
def test_a_current_secret_that_cannot_be_read_is_an_outcome(fault: str) -> None:
    it = world(added(), passwords=("p",) if fault == "destroyed" else ())
    if fault == "destroyed":
        it.secrets.destroy(PATH, [1])
    it.at = MOMENT + STORE_LAG
    it.handle(recorded_at_moment(it))
    [outcome] = it.outcomes()
    assert isinstance(outcome, VerificationFailed)
    assert outcome.code is VerificationCode.SECRET_UNREADABLE
    assert it.logins == []


def test_a_scheduled_verification_reports_a_secret_that_cannot_be_read() -> None:
    it = world(added(), passwords=())
    [event] = it.credential.history()
    due = verification_for(event, it.credential.history())
    assert due is not None
    attempt = it.verifier().verify_again(due, last_outcome="verified", last_recorded=MOMENT)
    assert attempt is not None
    assert attempt.outcome == "secret_unreadable"
    assert len(it.outcomes()) == 1
    assert it.verifier().verify_again(due, last_outcome="secret_unreadable", last_recorded=MOMENT)
    assert len(it.outcomes()) == 1  # an unchanged outcome is not recorded again
    it.credential.happened(REMOVED)
    assert it.verifier().verify_again(due, last_outcome="verified", last_recorded=MOMENT) is None


@pytest.mark.parametrize("later", [rotated(2), REMOVED])
def test_a_secret_that_is_replaced_or_removed_meanwhile_is_not_an_error(later: object) -> None:
    """The secret is destroyed after the credential was read and before the secret is read."""
    it = world(added())

    def meanwhile() -> None:
        it.after_reading = nothing
        it.credential.happened(later)
        if later is REMOVED:
            it.secrets.remove(PATH)
        else:
            it.secrets.destroy(PATH, [1])

    it.after_reading = meanwhile
    it.handle(it.credential.history()[0])
    assert (it.logins, it.outcomes()) == ([], [])


def test_a_stream_of_another_account_is_refused() -> None:
    it = world(added())
    [event] = it.credential.history()
    it.handle(event)
    foreign = MemoryEventStore()
    for outcome in it.store.load(OUTCOMES):
        payload = outcome.payload
        assert isinstance(payload, VerificationSucceeded)
        foreign.append(
            OUTCOMES,
            0,
            [
                NewEvent(
                    event_id=an_id("theirs"),
                    payload=replace(payload, verification_id=an_id("theirs")),
                    metadata=replace(outcome.metadata, account_id="other"),
                )
            ],
        )
    it.store = foreign
    with pytest.raises(VersionConflict):
        it.handle(event)


def test_a_secret_that_is_no_login_is_reported_without_its_text() -> None:
    it = world(added(), passwords=())
    it.secrets.put(PATH, Secret("canary"), write_id="w", expected_version=0)
    it.handle(it.credential.history()[0])
    [outcome] = it.outcomes()
    assert getattr(outcome, "code", None) is VerificationCode.SECRET_UNREADABLE
    assert "canary" not in str(outcome)
