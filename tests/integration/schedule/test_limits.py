"""Logins at a registry are limited and held after refusals, and no verification is lost."""

from collections.abc import Callable
from datetime import timedelta

from contracts.verdicts import VerificationCode as Code
from tests.integration.schedule.world import GOOD, INTERVAL, World, bad


def catch_up(world: World, rounds: int, step: timedelta) -> None:
    for _ in range(rounds):
        world.tick()
        world.pass_time(step)


def test_holds_double_after_each_refusal(world: World) -> None:
    world.verdict = lambda _: bad(Code.BAD_CREDENTIAL)
    credential = world.add()
    world.hear(credential)
    gaps: list[float] = []
    for _ in range(6):
        world.credentials.request_verification(world.request(), credential, None)
        assert world.hear(credential) == ["postponed"]
        before = world.at
        while world.logins[-1][1] < before or len(world.logins) < len(gaps) + 2:
            world.pass_time(timedelta(seconds=1))
            world.tick()
        gaps.append((world.at - before).total_seconds())
    assert gaps == [1, 2, 4, 8, 16, 32]
    assert world.types(credential).count("failed") == 7  # nothing was lost


def test_another_username_is_not_held(world: World) -> None:
    world.verdict = lambda _: bad(Code.BAD_CREDENTIAL)
    one, same, other = world.add(), world.add(), world.add(user="else")
    assert world.hear(one) == ["bad_credential"]
    assert world.hear(same, other) == ["postponed", "bad_credential"]


def test_an_accepted_login_ends_a_hold(world: World) -> None:
    world.verdict = lambda _: bad(Code.BAD_CREDENTIAL)
    credential = world.add()
    world.hear(credential)
    world.verdict = lambda _: GOOD
    world.rotate(credential)
    assert world.hear(credential) == ["postponed"]
    catch_up(world, 4, timedelta(seconds=1))
    assert world.types(credential) == ["failed", "succeeded", "recovered"]
    assert world.hear(world.add()) == ["verified"]


def test_retry_after_of_a_registry_is_respected(world: World) -> None:
    world.verdict = lambda _: bad(Code.RATE_LIMITED, retry_after=900)
    first, second = world.add(), world.add()
    assert world.hear(first, second) == ["rate_limited", "postponed"]
    catch_up(world, 14, timedelta(minutes=1))
    assert len(world.logins) == 1
    world.verdict = lambda _: GOOD
    catch_up(world, 4, timedelta(minutes=1))
    assert world.types(second) == ["succeeded"]
    assert world.types(first) == ["failed", "succeeded", "recovered"]


def test_scheduled_logins_of_a_held_username_wait(world: World) -> None:
    first, second = world.add(), world.add()
    world.hear(first, second)
    world.pass_time(INTERVAL * 1.2)
    world.hold("rate_limited", retry_after=3600)
    world.tick()
    assert len(world.logins) == 2
    world.pass_time(timedelta(seconds=3601))
    catch_up(world, 3, timedelta(seconds=1))
    assert len(world.logins) == 4


def test_logins_per_host_are_limited(make_world: Callable[..., World]) -> None:
    world = make_world(per_host=2)
    credentials = [world.add(account=f"account-{number}") for number in range(20)]
    outcomes = world.hear(*credentials)
    assert outcomes == ["verified"] * 8 + ["postponed"] * 12  # a burst of four seconds' worth
    catch_up(world, 40, timedelta(seconds=0.25))
    assert len(world.logins) == 20
    times = [at for _, at in world.logins]
    for index in range(len(times) - 10):
        assert times[index + 10] - times[index] >= timedelta(seconds=1)


def test_logins_per_account_are_limited_and_delay_no_other(make_world: Callable[..., World]) -> None:
    world = make_world(per_host=1000, per_account=2)
    many = [world.add(account="greedy") for _ in range(30)]
    assert world.hear(*many) == ["verified"] * 8 + ["postponed"] * 22
    assert world.hear(world.add(account="modest")) == ["verified"]
    catch_up(world, 60, timedelta(seconds=0.25))
    assert len(world.logins) == 31


def test_scheduled_logins_are_limited_per_host(make_world: Callable[..., World]) -> None:
    world = make_world(per_host=2)
    credentials = [world.add(account=f"account-{number}") for number in range(20)]
    for credential in credentials:
        world.hear(credential)
        world.pass_time(timedelta(seconds=1))
    world.pass_time(INTERVAL * 1.2)
    done = len(world.logins)
    world.tick()
    assert len(world.logins) - done <= 8
    catch_up(world, 80, timedelta(seconds=0.25))
    assert len(world.logins) - done == 20


def test_credentials_of_an_unresponsive_host_are_postponed_without_a_login(world: World) -> None:
    dead = [world.add("dead.example", user=f"user-{number}") for number in range(20)]
    world.hear(*dead)
    world.pass_time(INTERVAL * 1.2)
    done = len(world.logins)
    world.verdict = lambda host: bad(Code.UNREACHABLE) if host == "dead.example" else GOOD
    catch_up(world, 8, timedelta(seconds=10))
    assert len(world.logins) - done <= 4  # the others of that host are postponed without a login
    due = [wait for one in dead if (wait := world.due_in(one)) is not None]
    assert len(due) == 20
    assert min(due) > timedelta(0)


def test_wrong_passwords_of_others_do_not_hold_a_valid_credential(world: World) -> None:
    good = world.add()
    assert world.hear(good) == ["verified"]
    for _ in range(10):
        world.hold("bad_credential")
    world.credentials.request_verification(world.request(), good, None)
    assert world.hear(good) == ["verified"]
    for _ in range(10):
        world.hold("bad_credential")
    assert world.hear(world.add()) == ["postponed"]  # the validity of this one is not known
    done = len(world.logins)
    world.pass_time(INTERVAL * 1.2)
    world.hold("bad_credential")
    world.tick()
    assert len(world.logins) > done
