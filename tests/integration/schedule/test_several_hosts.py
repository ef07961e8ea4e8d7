"""A credential for several hosts is verified at each, and guesses at none of them are faster thereby."""

from datetime import timedelta

from contracts.verdicts import VerificationCode as Code
from contracts.verification_events import VerificationFailed, VerificationSucceeded
from registries.protocol.login import Verdict
from tests.integration.schedule.world import GOOD, World, bad
from verifier.schedule.hold_table import PACE_BURST

FIRST, SECOND, THIRD = "acme.jfrog.example", "docker.acme.example", "eu.acme.example"


def refusing(*hosts: str, code: Code = Code.BAD_CREDENTIAL) -> "dict[str, Verdict]":
    return dict.fromkeys(hosts, bad(code))


def hosts_of(world: World) -> list[str]:
    return [host for host, _ in world.logins]


def test_it_is_verified_only_if_each_host_accepts_the_login(world: World) -> None:
    credential = world.add(FIRST, also=(SECOND, THIRD))
    assert world.hear(credential) == ["verified", "superseded"]
    assert hosts_of(world) == [FIRST, SECOND, THIRD]
    [outcome] = [event.payload for event in world.recorded(credential)]
    assert isinstance(outcome, VerificationSucceeded)
    assert (outcome.registry_host, outcome.detail) == (FIRST, f"good; so do {SECOND}, {THIRD}")


def test_the_outcome_names_the_host_that_refused(world: World) -> None:
    verdicts = refusing(SECOND)
    world.verdict = lambda host: verdicts.get(host, GOOD)
    credential = world.add(FIRST, also=(SECOND, THIRD))
    assert world.hear(credential) == ["bad_credential", "superseded"]
    assert hosts_of(world) == [FIRST, SECOND]
    [outcome] = [event.payload for event in world.recorded(credential)]
    assert isinstance(outcome, VerificationFailed)
    assert (outcome.registry_host, outcome.detail) == (SECOND, f"{SECOND}: not good")
    assert world.row(credential, "due_at") is None, "a refused secret is not tried again"


def test_changed_hosts_are_verified_again(world: World) -> None:
    credential = world.add(FIRST)
    assert world.hear(credential) == ["verified"]
    world.pass_time(timedelta(minutes=1))
    verdicts = refusing(SECOND)
    world.verdict = lambda host: verdicts.get(host, GOOD)
    world.set_hosts(credential, SECOND)
    assert world.hear(credential) == ["bad_credential"]
    world.pass_time(timedelta(minutes=1))
    world.set_hosts(credential)
    assert world.hear(credential) == ["verified"]
    assert hosts_of(world) == [FIRST, FIRST, SECOND, FIRST]


def test_a_rotation_to_an_additional_host_is_one_verification(world: World) -> None:
    credential = world.add(FIRST, also=(SECOND, THIRD))
    world.hear(credential)
    world.logins.clear()
    world.pass_time(timedelta(minutes=1))
    world.rotate(credential, host=SECOND)
    assert world.hear(credential) == ["superseded", "verified"]
    assert hosts_of(world) == [SECOND, THIRD]


def test_hosts_that_change_during_a_login_make_its_outcome_void(world: World) -> None:
    credential = world.add(FIRST)

    def change(host: str) -> Verdict:
        world.verdict = lambda _: GOOD
        world.set_hosts(credential, SECOND)
        return GOOD

    world.pass_time(timedelta(seconds=1))
    world.verdict = change
    assert world.hear(credential) == ["superseded"]
    assert world.types(credential) == []
    assert world.hear(credential) == ["verified"]


def test_the_schedule_logs_in_to_each_host(world: World) -> None:
    credential = world.add(FIRST, also=(SECOND,))
    world.hear(credential)
    world.logins.clear()
    world.pass_time(timedelta(hours=30))
    verdicts = refusing(SECOND, code=Code.UNREACHABLE)
    world.verdict = lambda host: verdicts.get(host, GOOD)
    world.tick()
    assert hosts_of(world) == [FIRST, SECOND]
    assert world.types(credential)[-1] == "failed"
    assert world.limiter.open_for(FIRST, world.account) == 0.0
    assert world.limiter.open_for(SECOND, world.account) > 0


def test_an_additional_host_is_guarded_against_guesses(world: World) -> None:
    verdicts = refusing(SECOND)
    world.verdict = lambda host: verdicts.get(host, GOOD)
    credentials = [world.add(f"evil-{n}.example", also=(SECOND,), account=f"guesser-{n}") for n in range(20)]
    world.hear(*credentials)
    assert hosts_of(world).count(SECOND) <= PACE_BURST
    before = hosts_of(world).count(SECOND)
    one = world.add("evil.example", also=(SECOND,), account="guesser-0")
    assert world.hear(one) == ["postponed", "superseded"]
    assert hosts_of(world).count(SECOND) == before
