"""Nobody makes regcred hammer a registry: paced, held back after refusals, nothing lost."""

from collections.abc import Callable
from datetime import timedelta

from contracts.verdicts import VerificationCode as Code
from tests.integration.schedule.world import GOOD, INTERVAL, World, bad


def catch_up(world: World, rounds: int, step: timedelta) -> None:
    for _ in range(rounds):
        world.tick()
        world.pass_time(step)


def test_after_a_refusal_the_user_is_held_back_ever_longer(world: World) -> None:
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


def test_another_user_of_that_host_is_not_held_back(world: World) -> None:
    world.verdict = lambda _: bad(Code.BAD_CREDENTIAL)
    one, same, other = world.add(), world.add(), world.add(user="else")
    assert world.hear(one) == ["bad_credential"]
    assert world.hear(same, other) == ["postponed", "bad_credential"]


def test_a_good_login_ends_it(world: World) -> None:
    world.verdict = lambda _: bad(Code.BAD_CREDENTIAL)
    credential = world.add()
    world.hear(credential)
    world.verdict = lambda _: GOOD
    world.rotate(credential)
    assert world.hear(credential) == ["postponed"]
    catch_up(world, 4, timedelta(seconds=1))
    assert world.types(credential) == ["failed", "succeeded", "recovered"]
    assert world.hear(world.add()) == ["verified"]


def test_a_registry_is_left_alone_as_long_as_it_asks_for(world: World) -> None:
    world.verdict = lambda _: bad(Code.RATE_LIMITED, retry_after=900)
    first, second = world.add(), world.add()
    assert world.hear(first, second) == ["rate_limited", "postponed"]
    catch_up(world, 14, timedelta(minutes=1))
    assert len(world.logins) == 1
    world.verdict = lambda _: GOOD
    catch_up(world, 4, timedelta(minutes=1))
    assert world.types(second) == ["succeeded"]
    assert world.types(first) == ["failed", "succeeded", "recovered"]


def test_what_is_due_as_a_held_user_waits_too(world: World) -> None:
    first, second = world.add(), world.add()
    world.hear(first, second)
    world.pass_time(INTERVAL * 1.2)
    world.table.hold("reg.example", "octo", outcome="rate_limited", retry_after=3600, now=world.at)
    world.tick()
    assert len(world.logins) == 2
    world.pass_time(timedelta(seconds=3601))
    catch_up(world, 3, timedelta(seconds=1))
    assert len(world.logins) == 4


def test_so_many_a_second_at_one_host(make_world: Callable[..., World]) -> None:
    world = make_world(per_host=2)
    credentials = [world.add(account=f"account-{number}") for number in range(20)]
    outcomes = world.hear(*credentials)
    assert outcomes == ["verified"] * 8 + ["postponed"] * 12  # a burst of four seconds' worth
    catch_up(world, 40, timedelta(seconds=0.25))
    assert len(world.logins) == 20
    times = [at for _, at in world.logins]
    for index in range(len(times) - 10):
        assert times[index + 10] - times[index] >= timedelta(seconds=1)


def test_an_account_waits_behind_itself_and_not_before_others(make_world: Callable[..., World]) -> None:
    world = make_world(per_host=1000, per_account=2)
    many = [world.add(account="greedy") for _ in range(30)]
    assert world.hear(*many) == ["verified"] * 8 + ["postponed"] * 22
    assert world.hear(world.add(account="modest")) == ["verified"]
    catch_up(world, 60, timedelta(seconds=0.25))
    assert len(world.logins) == 31


def test_the_schedule_is_paced_as_well(make_world: Callable[..., World]) -> None:
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


def test_nobody_waits_for_a_host_that_gives_no_answer(world: World) -> None:
    dead = [world.add("dead.example", user=f"user-{number}") for number in range(20)]
    world.hear(*dead)
    world.pass_time(INTERVAL * 1.2)
    done = len(world.logins)
    world.verdict = lambda host: bad(Code.UNREACHABLE) if host == "dead.example" else GOOD
    catch_up(world, 8, timedelta(seconds=10))
    assert len(world.logins) - done <= 4  # the others of that host are put off without a login
    due = [wait for one in dead if (wait := world.due_in(one)) is not None]
    assert len(due) == 20
    assert min(due) > timedelta(0)


def test_nobody_keeps_a_good_credential_from_being_verified_with_wrong_passwords(world: World) -> None:
    good = world.add()
    assert world.hear(good) == ["verified"]
    for _ in range(10):
        world.table.hold("reg.example", "octo", outcome="bad_credential", retry_after=None, now=world.at)
    world.credentials.request_verification(world.request(), good, None)
    assert world.hear(good) == ["verified"]
    for _ in range(10):
        world.table.hold("reg.example", "octo", outcome="bad_credential", retry_after=None, now=world.at)
    assert world.hear(world.add()) == ["postponed"]  # of this one nothing is known
    done = len(world.logins)
    world.pass_time(INTERVAL * 1.2)
    world.table.hold("reg.example", "octo", outcome="bad_credential", retry_after=None, now=world.at)
    world.tick()
    assert len(world.logins) > done
