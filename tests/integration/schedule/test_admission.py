"""Logins that a request waits for: no loop of requests becomes a loop of attempts."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event

import pytest

from tests.integration.schedule.world import World
from verifier.schedule.admission import Admission, LoginDelayed, LoginIdentity
from verifier.schedule.login_limiter import Bulkhead
from verifier.schedule.rows import hold_name

OCTO = LoginIdentity(registry_host="reg.example", username="octo", account_id="acme")
KNOWN = LoginIdentity(registry_host="reg.example", username="octo", account_id="acme", known_valid=True)


def admission_of(world: World) -> Admission:
    return Admission(
        table=world.table,
        limiter=world.limiter,
        bulkhead=Bulkhead(8, per_host=4),
        now=world.now,
        monotonic=world.seconds,
        sleep=lambda seconds: world.pass_time(timedelta(seconds=seconds)),
    )


def refused(
    admission: Admission,
    user: LoginIdentity = OCTO,
    outcome: str = "bad_credential",
    later: int | None = None,
) -> None:
    with admission.for_test(user) as attempt:
        attempt.ended(outcome, later)


def test_after_a_refusal_a_trial_waits_a_moment_then_is_told_to_come_later(world: World) -> None:
    admission, begun = admission_of(world), world.at
    for _ in range(3):  # the second waits a second, the third two
        refused(admission)
    assert (world.at - begun).total_seconds() == pytest.approx(3)
    with pytest.raises(LoginDelayed) as refusal, admission.for_test(OCTO):
        raise AssertionError("it was tried")
    assert (refusal.value.reason, refusal.value.retry_after) == ("login_held_back", 4)


def test_what_the_log_asks_for_waits_for_the_same_hold_and_the_other_way_round(world: World) -> None:
    admission = admission_of(world)
    refused(admission, later=60, outcome="rate_limited")
    assert world.hear(world.add()) == ["postponed"]
    world.table.release([("reg.example", "octo")])
    world.table.hold("reg.example", "octo", outcome="rate_limited", retry_after=600, now=world.at)
    with pytest.raises(LoginDelayed), admission.for_test(OCTO):
        raise AssertionError("it was tried")


def test_a_good_login_ends_the_hold(world: World) -> None:
    admission = admission_of(world)
    for _ in range(3):
        refused(admission)
    world.pass_time(timedelta(seconds=4))
    refused(admission, outcome="verified")
    begun = world.at
    refused(admission)
    assert world.at == begun


def test_reading_with_a_good_login_waits_for_no_refusal_of_somebody_else(world: World) -> None:
    admission = admission_of(world)
    for _ in range(3):
        refused(admission, LoginIdentity(registry_host="reg.example", username="octo", account_id="somebody"))
    with admission.for_read(KNOWN):
        pass
    with pytest.raises(LoginDelayed), admission.for_read(OCTO):
        raise AssertionError("it was read")


def test_everybody_leaves_a_registry_alone_that_asks_for_it(world: World) -> None:
    admission = admission_of(world)
    with admission.for_read(KNOWN) as attempt:
        attempt.ended("rate_limited", 900)
    with pytest.raises(LoginDelayed) as refusal, admission.for_read(KNOWN):
        raise AssertionError("it was read")
    assert refusal.value.retry_after == 900


def test_a_name_that_all_share_is_held_back_for_one_account_alone(world: World) -> None:
    admission = admission_of(world)
    one = LoginIdentity(registry_host="gcr.io", username="_json_key", account_id="one")
    for _ in range(3):
        refused(admission, one)
    with admission.for_test(LoginIdentity(registry_host="gcr.io", username="_json_key", account_id="two")):
        pass
    with pytest.raises(LoginDelayed), admission.for_test(one):
        raise AssertionError("it was tried")
    assert hold_name("octo", "one") == hold_name("octo", "two") == "octo"
    kept = world.add("gcr.io", user="_json_key", account="one")
    assert world.hear(kept) == ["postponed"]
    other = world.add("gcr.io", user="_json_key", account="two")
    assert world.hear(other) == ["verified"]


def test_wrong_logins_of_one_user_are_tried_one_after_the_other(world: World) -> None:
    admission, inside, go_on = admission_of(world), Event(), Event()

    def first() -> None:
        with admission.for_test(OCTO) as attempt:
            inside.set()
            assert go_on.wait(10)
            attempt.ended("bad_credential")

    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(first)
        assert inside.wait(10)
        with pytest.raises(LoginDelayed) as refusal, admission.for_test(OCTO):
            raise AssertionError("two at a time")
        go_on.set()
        slow.result()
    assert refusal.value.reason == "too_many_logins"


def test_so_many_a_second_and_no_turn_is_lost_to_who_is_sent_away(make_world: Callable[..., World]) -> None:
    world = make_world(per_host=0.1, per_account=1000)
    admission = admission_of(world)
    with admission.for_read(OCTO):
        pass
    for number in range(20):
        user = LoginIdentity(registry_host="reg.example", username="octo", account_id=f"account-{number}")
        with pytest.raises(LoginDelayed) as refusal, admission.for_read(user):
            raise AssertionError("it was read")
        assert (refusal.value.reason, refusal.value.retry_after) == ("too_many_logins", 10)
    world.pass_time(timedelta(seconds=10))
    with admission.for_read(OCTO):
        pass


def test_an_exception_gives_the_turn_back(world: World) -> None:
    admission = admission_of(world)
    for _ in range(20):
        with pytest.raises(ZeroDivisionError), admission.for_test(OCTO):
            raise ZeroDivisionError
    with admission.for_test(OCTO):
        pass
