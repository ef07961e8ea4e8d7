"""The first event of a credential and the newest of each type determine it, as all its events do.

Commands load no other events (`eventlog.storage.load_newest`).
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from chassis.invalid_input import InvalidInput
from contracts.credential import Absent, Active, Credential, Removed, fold
from contracts.credential_events import Restrictions, Scope
from contracts.verdicts import VerificationCode
from contracts.verification_events import RotationTested
from credentials.domain.commands import (
    UNCHANGED,
    AddCredential,
    ChangeDetails,
    Command,
    FreezeCredential,
    RemoveCredential,
    RequestRotation,
    RequestVerification,
    RestrictCredential,
    RollBackSecret,
    RotateSecret,
    SettleRotation,
    ThawCredential,
)
from credentials.domain.credential import Event, decide
from credentials.domain.errors import FormerSecretGone, NoFormerSecret
from tests.support.builders import EVERYBODY, GITHUB, ID, details, secret_reference

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ADD = AddCredential(
    credential_id=ID,
    registry=GITHUB,
    username="octo",
    secret=secret_reference(1),
    details=details("team"),
    restrictions=EVERYBODY,
)
_rotations = st.sampled_from([UUID(int=1), UUID(int=2)])


def _tested(code: VerificationCode | None) -> RotationTested:
    return RotationTested(
        rotation_id=UUID(int=1),
        credential_id=ID,
        registry_host=GITHUB.host,
        provider=GITHUB.provider,
        secret_version=10,
        code=code,
        detail="a detail",
        confidence="strong",
        checked_at=NOW,
        duration_ms=1,
    )


_unchanged = st.just(UNCHANGED)
_texts = st.sampled_from(["a", "b", "c"])
_expiries = st.none() | st.sampled_from([NOW + timedelta(days=days) for days in (1, 2, 3)])
_hosts = st.sampled_from(["a.example.com", "b.example.com"])
_commands: dict[type, st.SearchStrategy[Command]] = {
    AddCredential: st.just(ADD),
    ChangeDetails: st.builds(
        ChangeDetails,
        name=_unchanged | _texts,
        description=_unchanged | _texts,
        scope=_unchanged | st.builds(Scope, pull=st.booleans(), push=st.booleans()),
        repository_prefixes=_unchanged | st.tuples(_texts),
        expires_at=_unchanged | _expiries,
        additional_hosts=_unchanged | st.sets(_hosts, max_size=2).map(sorted).map(tuple),
        mirror_of=_unchanged | st.sets(_hosts | st.just("docker.io"), max_size=2).map(sorted).map(tuple),
    ),
    RotateSecret: st.builds(
        RotateSecret,
        registry=st.builds(
            replace, st.just(GITHUB), location=st.none() | _texts, host=st.just(GITHUB.host) | _hosts
        ),
        username=_texts,
        secret=st.integers(1, 5).map(secret_reference),
        expires_at=_expiries,
        previous_valid_until=st.sampled_from([NOW, NOW + timedelta(hours=1)]),
    ),
    RequestRotation: st.builds(
        RequestRotation,
        rotation_id=_rotations,
        registry=st.builds(replace, st.just(GITHUB), host=st.just(GITHUB.host) | _hosts),
        username=_texts,
        secret=st.integers(10, 13).map(secret_reference),
        expires_at=_expiries,
        grace=st.sampled_from([timedelta(), timedelta(hours=1)]),
        deadline=st.just(NOW + timedelta(minutes=15)),
        force_reason=st.none(),
    ),
    SettleRotation: st.builds(
        SettleRotation,
        rotation_id=_rotations,
        at=st.sampled_from([NOW, NOW + timedelta(minutes=15)]),
        tested=st.none() | st.builds(_tested, st.none() | st.just(VerificationCode.BAD_CREDENTIAL)),
        refusal=st.none() | st.just("workloads use it"),
    ),
    RollBackSecret: st.builds(
        RollBackSecret,
        secret=st.integers(6, 9).map(secret_reference),
        at=st.just(NOW),
        previous_valid_until=st.sampled_from([NOW, NOW + timedelta(hours=1)]),
    ),
    RestrictCredential: st.builds(
        RestrictCredential,
        restrictions=st.builds(Restrictions, restricted=st.booleans(), projects=st.tuples(_texts)),
    ),
    FreezeCredential: st.just(FreezeCredential(reason="leaked")),
    ThawCredential: st.just(ThawCredential(reason=None)),
    RequestVerification: st.just(RequestVerification(trigger="requested")),
    RemoveCredential: st.just(RemoveCredential(reason=None, forced=False)),
}


def test_every_command_is_tried() -> None:
    assert set(_commands) == set(get_args(Command))


@given(st.lists(st.one_of([commands for kind, commands in _commands.items() if kind is not AddCredential])))
def test_the_newest_events_determine_a_credential(commands: list[Command]) -> None:
    state: Credential = Absent()
    events: list[Event] = []
    for command in [ADD, *commands]:
        if isinstance(state, Removed):
            break
        try:
            new = decide(command, state)
        except NoFormerSecret:
            assert isinstance(state, Active)
            assert state.former is None
            continue
        except FormerSecretGone:
            assert isinstance(state, Active)
            assert state.former is not None
            assert state.former.valid_until <= NOW
            continue
        except InvalidInput:  # an additional host is the registry already, or a host a mirror of itself
            assert isinstance(command, ChangeDetails)
            assert isinstance(state, Active)
            named = replace(state.besides, **command.named_hosts())
            hosts = [state.registry.host, *named.additional_hosts, *named.mirror_of]
            assert len(set(hosts)) < len(hosts)
            continue
        if isinstance(command, RollBackSecret):
            _assert_rolled_back(state, fold(new, state), command)
        events.extend(new)
        state = fold(new, state)
        if isinstance(state, Active):
            hosts = [*state.hosts, *state.besides.mirror_of]
            assert len(set(hosts)) == len(hosts)
    newest = {type(event): number for number, event in enumerate(events)}
    determining = [events[number] for number in sorted({0, *newest.values()})]
    assert fold(determining) == fold(events) == state


def _assert_rolled_back(before: Credential, after: Credential, command: RollBackSecret) -> None:
    """The login is the former one, under a new version; everything else and the replaced login are preserved."""
    assert isinstance(before, Active)
    assert isinstance(after, Active)
    assert before.former is not None
    assert after.former is not None
    former, replaced = before.former, after.former
    assert (after.registry, after.username) == (former.registry, former.username)
    assert after.details == replace(before.details, expires_at=former.expires_at)
    assert (after.restrictions, after.secret) == (before.restrictions, command.secret)
    assert (replaced.registry, replaced.username, replaced.secret) == (
        before.registry,
        before.username,
        before.secret,
    )
