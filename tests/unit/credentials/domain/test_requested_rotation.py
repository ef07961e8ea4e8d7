"""A requested rotation is done if a login with the new secret was accepted, and discarded otherwise."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from chassis.invalid_input import InvalidInput
from contracts.credential import Active, fold, is_change
from contracts.credential_events import (
    CredentialHostsChanged,
    CredentialRotationDiscarded,
    CredentialRotationRequested,
    CredentialSecretRotated,
    Hosts,
    Registry,
)
from contracts.verdicts import VerificationCode
from contracts.verification_events import RotationTested
from credentials.domain.commands import (
    ChangeDetails,
    RequestRotation,
    RollBackSecret,
    RotateSecret,
    SettleRotation,
)
from credentials.domain.credential import Event, decide
from tests.unit.credentials.domain.test_credential import ADDED, NEXT, ROTATE, SECRET

ROTATION, OTHER = UUID(int=7), UUID(int=8)
GRACE = timedelta(minutes=10)
AT = ROTATE.previous_valid_until
REQUEST = RequestRotation(
    rotation_id=ROTATION,
    registry=ROTATE.registry,
    username=ROTATE.username,
    secret=NEXT,
    expires_at=ROTATE.expires_at,
    grace=GRACE,
    deadline=AT + timedelta(minutes=15),
    force_reason=None,
)


def login(code: VerificationCode | None = None) -> RotationTested:
    return RotationTested(
        rotation_id=ROTATION,
        credential_id=ADDED.credential_id,
        registry_host="ghcr.io",
        provider="github",
        secret_version=NEXT.version,
        code=code,
        detail="a detail",
        confidence="strong",
        checked_at=AT,
        duration_ms=1,
    )


def requested() -> Active:
    state = fold([ADDED, *decide(REQUEST, fold([ADDED]))])
    assert isinstance(state, Active)
    return state


def settled(state: Active, of: RotationTested | None, at: timedelta = timedelta()) -> tuple[Event, ...]:
    return decide(SettleRotation(rotation_id=ROTATION, at=AT + at, tested=of), state)


def test_a_request_changes_nothing_of_the_credential() -> None:
    [event] = decide(REQUEST, fold([ADDED]))
    assert isinstance(event, CredentialRotationRequested)
    assert not is_change(event)
    assert replace(requested(), requested=None) == fold([ADDED])


def test_an_accepted_login_rotates_and_the_grace_begins_then() -> None:
    [event] = settled(requested(), login(), timedelta(minutes=3))
    assert isinstance(event, CredentialSecretRotated)
    assert (event.secret, event.previous_secret, event.username) == (NEXT, SECRET, "cat")
    assert event.previous_valid_until == AT + timedelta(minutes=3) + GRACE
    state = fold([event], requested())
    assert isinstance(state, Active)
    assert (state.requested, state.discarded, state.secret) == (None, None, NEXT)
    assert settled(state, login()) == (), "settling twice has no further effect"


@pytest.mark.parametrize("code", list(VerificationCode))
def test_every_other_verdict_discards_the_new_secret(code: VerificationCode) -> None:
    [event] = settled(requested(), login(code))
    assert event == CredentialRotationDiscarded(
        credential_id=ADDED.credential_id,
        rotation_id=ROTATION,
        secret_version=NEXT.version,
        reason="not_verified",
        code=code,
        detail="a detail",
    )
    state = fold([event], requested())
    assert isinstance(state, Active)
    assert (state.requested, state.discarded, state.secret) == (None, event, SECRET)
    assert not is_change(event)


def test_without_a_login_it_waits_until_the_deadline() -> None:
    assert settled(requested(), None, timedelta(minutes=14)) == ()
    [event] = settled(requested(), None, timedelta(minutes=15))
    assert isinstance(event, CredentialRotationDiscarded)
    assert (event.reason, event.code) == ("not_in_time", None)


def test_a_login_that_ended_before_the_deadline_counts_after_it() -> None:
    [event] = settled(requested(), login(), timedelta(days=1))
    assert isinstance(event, CredentialSecretRotated)


@pytest.mark.parametrize(
    "command",
    [
        ROTATE,
        replace(REQUEST, rotation_id=OTHER),
        ChangeDetails(additional_hosts=("other.example",)),
    ],
)
def test_another_secret_or_other_hosts_take_its_place(
    command: RotateSecret | RequestRotation | ChangeDetails,
) -> None:
    discarded, *others = decide(command, requested())
    assert isinstance(discarded, CredentialRotationDiscarded)
    assert discarded.reason == "superseded"
    assert others == list(decide(command, fold([ADDED])))
    state = fold([discarded, *others], requested())
    assert isinstance(state, Active)
    assert settled(state, login()) == ()


def test_a_rollback_takes_its_place() -> None:
    rotated = fold([ADDED, *decide(replace(ROTATE, previous_valid_until=AT + GRACE), fold([ADDED]))])
    later = replace(REQUEST, secret=replace(NEXT, version=3))
    state = fold(decide(later, rotated), rotated)
    rollback = RollBackSecret(secret=replace(SECRET, version=4), at=AT, previous_valid_until=AT + GRACE)
    names = [type(event).__name__ for event in decide(rollback, state)]
    assert names == ["CredentialRotationDiscarded", "CredentialSecretRolledBack", "CredentialSecretRotated"]


def test_a_rotation_that_became_impossible_is_discarded() -> None:
    command = SettleRotation(rotation_id=ROTATION, at=AT, tested=login(), refusal="workloads use it")
    [event] = decide(command, requested())
    assert isinstance(event, CredentialRotationDiscarded)
    assert (event.reason, event.detail) == ("refused", "workloads use it")


def test_what_a_rotation_is_refused_for_is_refused_before_the_login() -> None:
    elsewhere = Registry(provider="custom", host="other.example", location=None)
    prefixed = replace(ADDED, details=replace(ADDED.details, repository_prefixes=("other.example/acme/",)))
    for command in (replace(ROTATE, registry=elsewhere), replace(REQUEST, registry=elsewhere)):
        with pytest.raises(InvalidInput):
            decide(command, fold([prefixed]))


def test_a_host_that_becomes_the_registry_is_no_additional_one() -> None:
    hosts = Hosts(additional_hosts=("other.example",), mirror_of=())
    changed = CredentialHostsChanged(
        credential_id=ADDED.credential_id, hosts=hosts, previous=Hosts(additional_hosts=(), mirror_of=())
    )
    elsewhere = Registry(provider="custom", host="other.example", location=None)
    before = fold([ADDED, changed])
    state = fold(decide(replace(REQUEST, registry=elsewhere), before), before)
    assert isinstance(state, Active)
    kinds = [type(event).__name__ for event in settled(state, login())]
    assert kinds == ["CredentialHostsChanged", "CredentialSecretRotated"]
