"""Events that are recorded for a login in addition to its outcome, and outcomes that are not recorded."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from contracts.expiry_events import ExpiryDiscovered, VerificationRecovered
from contracts.streams import verification_stream
from contracts.verdicts import VerificationCode
from contracts.verification_events import ImageProbe, VerificationSucceeded
from eventlog.events import NewEvent, RecordedEvent
from registries.image_reference import ImageReference
from registries.protocol.login import Verdict
from registries.protocol.verdict import ProbeResult
from tests.support.eventstore_suite import an_id
from tests.support.memory_eventstore import MemoryEventStore
from tests.unit.verifier.events import HUB, ID, METADATA
from verifier.outcomes import UNCHANGED_EVERY, events_of, worth_recording
from verifier.policy import Verification

NOW = datetime(2026, 3, 1, tzinfo=UTC)
GOOD = Verdict(code=None, detail="good")
BAD = Verdict(code=VerificationCode.BAD_CREDENTIAL, detail="bad")
AWAY = Verdict(code=VerificationCode.UNREACHABLE, detail="away")


def wanted(version: int = 1) -> Verification:
    return Verification(
        id=an_id("a verification"),
        account_id="acme",
        credential_id=ID,
        registry=HUB,
        username="octo",
        secret_version=version,
        trigger="scheduled",
    )


class Stream:
    """The verification stream of consecutive logins."""

    def __init__(self) -> None:
        self._store = MemoryEventStore()
        self._stream = verification_stream(ID)
        self.at = NOW

    def login(self, verdict: Verdict, *, version: int = 1, end: datetime | None = None) -> list[object]:
        self.at += timedelta(hours=1)
        history = self.history()
        events = events_of(
            wanted(version),
            verdict,
            history,
            registry_host="ghcr.io",
            checked_at=self.at,
            duration_ms=1,
            expires_at=end,
        )
        new = [
            NewEvent(event_id=an_id(f"{len(history)}-{n}"), payload=event, metadata=METADATA)
            for n, event in enumerate(events)
        ]
        self._store.append(self._stream, len(history), new)
        return events[1:]

    def history(self) -> list[RecordedEvent]:
        return self._store.load(self._stream)


def test_success_after_failures_is_a_recovery_from_the_first_failure() -> None:
    stream = Stream()
    assert stream.login(GOOD) == []
    assert stream.login(AWAY) == []
    assert stream.login(BAD) == []
    [recovered] = stream.login(GOOD)
    assert isinstance(recovered, VerificationRecovered)
    assert recovered.previous_code is VerificationCode.BAD_CREDENTIAL
    assert recovered.failing_since == NOW + timedelta(hours=2)
    assert stream.login(GOOD) == []


def test_a_first_successful_login_is_not_a_recovery() -> None:
    assert Stream().login(GOOD) == []


def test_an_expiry_is_discovered_once_for_each_secret_and_when_it_changes() -> None:
    stream, end = Stream(), NOW + timedelta(days=90)
    [found] = stream.login(GOOD, end=end)
    assert isinstance(found, ExpiryDiscovered)
    assert found.expires_at == end
    assert stream.login(GOOD, end=end) == []
    assert stream.login(BAD, end=end) == []
    assert len(stream.login(BAD, end=end, version=2)) == 1
    assert len(stream.login(BAD, end=end + timedelta(days=1), version=2)) == 1


@pytest.mark.parametrize(
    ("code", "last", "age", "worth"),
    [
        ("verified", "verified", timedelta(hours=1), False),
        ("verified", "verified", UNCHANGED_EVERY, True),
        ("verified", "unreachable", timedelta(0), True),
        ("unreachable", "verified", timedelta(0), True),
        ("unreachable", "unreachable", timedelta(hours=19), False),
        ("bad_credential", "expired", timedelta(0), True),
    ],
)
def test_an_unchanged_outcome_is_recorded_after_an_interval(
    code: str, last: str, age: timedelta, worth: bool
) -> None:
    assert worth_recording(code, last, NOW - age, NOW) is worth


def test_the_first_outcome_is_always_recorded() -> None:
    assert worth_recording("verified", None, None, NOW)


def test_an_expiry_that_the_provider_reports_is_recorded_with_its_source() -> None:
    stream = Stream()
    end = NOW + timedelta(days=20)
    (found,) = stream.login(replace(GOOD, secret_expires_at=end), end=end)
    assert isinstance(found, ExpiryDiscovered)
    assert (found.source, found.expires_at) == ("provider", end)
    assert stream.login(GOOD) == []


def test_a_failed_probe_does_not_fail_the_login() -> None:
    stream = Stream()
    image = ImageReference.parse("nginx:1")
    probed = ProbeResult(image=image, code=VerificationCode.NO_PULL_ACCESS, detail="no")
    stream.login(BAD)
    assert isinstance(stream.login(replace(GOOD, probed=probed))[0], VerificationRecovered)
    succeeded = stream.history()[1].payload
    assert isinstance(succeeded, VerificationSucceeded)
    probe = ImageProbe(image="docker.io/library/nginx:1", code=VerificationCode.NO_PULL_ACCESS, detail="no")
    assert succeeded.probe == probe
