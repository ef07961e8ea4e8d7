"""A rotation that is done only if the new secret is verified: the login, its limits, and what becomes of it."""

from datetime import timedelta
from uuid import UUID

import pytest

from contracts.credential import Active, fold
from contracts.streams import credential_stream
from contracts.verdicts import VerificationCode as Code
from contracts.verification_events import RotationTested
from credentials.application.settling import SettlingLoop
from secretstore.store import SecretPath
from tests.integration.schedule.world import GOOD, World, bad, new_secret
from tests.support.log import stream_events

FIRST, SECOND = "reg.example", "docker.acme.example"


def request(world: World, credential: UUID, *, host: str = FIRST, user: str = "octo") -> None:
    world.credentials.rotations.rotate(
        world.request(), credential, None, lambda _: new_secret(host, user, "other"), only_if_verified=True
    )


def settle(world: World) -> None:
    SettlingLoop(world.credentials.rotations, now=world.now).settle()


def state(world: World, credential: UUID) -> Active:
    found = fold(event.payload for event in stream_events(world.pool, credential_stream(credential)))
    assert isinstance(found, Active)
    return found


def test_an_accepted_login_rotates_and_then_verifies_the_credential(world: World) -> None:
    credential = world.add()
    world.hear(credential)
    request(world, credential)
    settle(world)
    assert state(world, credential).secret.version == 1, "it waits for the login"
    assert world.hear(credential) == ["verified"]
    [_, tested] = [event.payload for event in world.recorded(credential)]
    assert isinstance(tested, RotationTested)
    assert (tested.secret_version, tested.code) == (2, None)
    settle(world)
    settle(world)
    rotated = state(world, credential)
    assert (rotated.secret.version, rotated.requested) == (2, None)
    assert world.hear(credential) == ["verified"]
    assert world.types(credential) == ["succeeded", "rotation_tested", "succeeded"]
    events = stream_events(world.pool, credential_stream(credential))
    assert [event.type for event in events][1:] == [
        "credential.rotation_requested",
        "credential.secret_rotated",
    ]
    asked, done = events[1], events[2]
    assert done.metadata.actor == asked.metadata.actor
    assert done.metadata.causation_id == str(asked.event_id)


@pytest.mark.parametrize("code", [Code.BAD_CREDENTIAL, Code.UNREACHABLE, Code.RATE_LIMITED])
def test_any_other_verdict_leaves_the_credential_as_it_is(world: World, code: Code) -> None:
    credential = world.add()
    world.hear(credential)
    before = world.due_in(credential)
    world.verdict = lambda _host: bad(code)
    request(world, credential)
    assert world.hear(credential) == [code]
    settle(world)
    after = state(world, credential)
    assert (after.secret.version, after.requested) == (1, None)
    assert after.discarded is not None
    assert (after.discarded.reason, after.discarded.code, after.discarded.secret_version) == (
        "not_verified",
        code,
        2,
    )
    assert world.table.last_outcome(credential, 1) == "verified", "the current secret keeps its outcome"
    assert world.due_in(credential) == before


def test_a_refused_new_secret_holds_back_guesses(world: World) -> None:
    credential = world.add()
    world.hear(credential)
    world.verdict = lambda _host: bad(Code.BAD_CREDENTIAL)
    request(world, credential)
    assert world.hear(credential) == ["bad_credential"]
    settle(world)
    request(world, credential)
    assert world.hear(credential)[-1] == "postponed"


def test_a_rotation_that_was_not_possible_in_time_is_discarded(world: World) -> None:
    credential = world.add()
    world.hear(credential)
    world.hold("bad_credential")
    request(world, credential, user="octo")
    assert world.hear(credential) == ["postponed"]
    world.pass_time(timedelta(minutes=15))
    settle(world)
    after = state(world, credential)
    assert after.discarded is not None
    assert after.discarded.reason == "not_in_time"
    world.logins.clear()
    world.pass_time(timedelta(hours=2))
    world.tick()
    assert "rotation_tested" not in world.types(credential), "no login is tried with it any more"


def test_each_host_of_the_credential_must_accept_the_new_secret(world: World) -> None:
    credential = world.add(FIRST, also=(SECOND,))
    world.hear(credential)
    world.logins.clear()
    verdicts = {SECOND: bad(Code.BAD_CREDENTIAL)}
    world.verdict = lambda host: verdicts.get(host, GOOD)
    request(world, credential)
    assert world.hear(credential) == ["bad_credential"]
    assert [host for host, _ in world.logins] == [FIRST, SECOND]
    settle(world)
    assert state(world, credential).secret.version == 1


def test_a_rotation_of_a_removed_credential_ends_with_it(world: World) -> None:
    credential = world.add()
    world.hear(credential)
    request(world, credential)
    world.credentials.remove(world.request(), credential, None, reason=None, forced=True)
    world.logins.clear()
    assert world.hear(credential) == ["superseded", "superseded"]
    assert world.logins == []
    settle(world)


def test_many_rotations_are_settled_in_turns(world: World) -> None:
    waiting = [world.add(user=f"u{n}") for n in range(3)]
    world.hear(*waiting)
    for n, credential in enumerate(waiting):
        request(world, credential, user=f"v{n}")
    world.hear(*waiting)
    batches = []
    after = None
    while batch := world.credentials.rotations.requested(after, 2):
        batches.append(len(batch))
        after = batch[-1].credential_id
    assert batches[:-1] == [2] * (len(batches) - 1)
    settle(world)
    assert [state(world, credential).secret.version for credential in waiting] == [2, 2, 2]


def test_a_requested_rotation_keeps_the_secret_that_it_may_need(world: World) -> None:
    credential = world.add()
    world.hear(credential)
    request(world, credential)
    path = SecretPath(world.account, credential)
    assert [world.secrets.get(path, version) is not None for version in (1, 2)] == [True, True]
