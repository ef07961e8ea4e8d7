"""Logins that a request waits for: a loop of requests does not become a loop of login attempts."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Event

import pytest

from tests.integration.schedule.world import World
from tests.support.timing import PATIENCE
from verifier.schedule.admission import Admission, LoginDelayed, LoginIdentity
from verifier.schedule.login_limiter import Bulkhead
from verifier.schedule.rows import HeldLogin, Hold, hold_name

OCTO = LoginIdentity(registry_host="reg.example", username="octo", account_id="acme")
KNOWN = LoginIdentity(registry_host="reg.example", username="octo", account_id="acme", known_valid=True)


def admission_of(world: World) -> Admission:
    return Admission(
        holds=world.holds,
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


def test_login_tests_wait_after_refusals_and_then_are_refused(world: World) -> None:
    admission, begun = admission_of(world), world.at
    for _ in range(3):  # the second waits a second, the third two
        refused(admission)
    assert (world.at - begun).total_seconds() == pytest.approx(3)
    with pytest.raises(LoginDelayed) as refusal, admission.for_test(OCTO):
        raise AssertionError("it was tried")
    assert (refusal.value.reason, refusal.value.retry_after) == ("login_held_back", 4)


def test_the_time_to_read_a_hold_counts_as_waiting(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    admission, read_hold = admission_of(world), world.holds.hold_on

    def read_slowly(login: HeldLogin, now: datetime, *, known_valid: bool = False) -> Hold | None:
        hold = read_hold(login, now, known_valid=known_valid)
        world.pass_time(timedelta(milliseconds=100))
        return hold

    monkeypatch.setattr(world.holds, "hold_on", read_slowly)
    for _ in range(3):  # the third is held back for two seconds, the longest time that a request waits
        refused(admission)
        world.pass_time(timedelta(milliseconds=50))


def test_logins_for_events_and_for_requests_share_holds(world: World) -> None:
    admission = admission_of(world)
    refused(admission, later=60, outcome="rate_limited")
    assert world.hear(world.add()) == ["postponed"]
    world.holds.release([OCTO.held], world.at)
    world.hold("rate_limited", retry_after=600)
    with pytest.raises(LoginDelayed), admission.for_test(OCTO):
        raise AssertionError("it was tried")


def test_an_accepted_login_ends_a_hold(world: World) -> None:
    admission = admission_of(world)
    for _ in range(3):
        refused(admission)
    world.pass_time(timedelta(seconds=4))
    refused(admission, outcome="verified")
    begun = world.at
    refused(admission)
    assert world.at == begun


def test_a_read_with_a_valid_login_does_not_wait_for_refusals_of_another_secret(world: World) -> None:
    admission = admission_of(world)
    for _ in range(3):
        refused(admission)
    with admission.for_read(KNOWN):
        pass
    with pytest.raises(LoginDelayed), admission.for_read(OCTO):
        raise AssertionError("it was read")


def test_a_rate_limited_registry_is_held_for_all(world: World) -> None:
    admission = admission_of(world)
    with admission.for_read(KNOWN) as attempt:
        attempt.ended("rate_limited", 900)
    with pytest.raises(LoginDelayed) as refusal, admission.for_read(KNOWN):
        raise AssertionError("it was read")
    assert refusal.value.retry_after == 900


def test_a_shared_username_is_held_per_account(world: World) -> None:
    admission = admission_of(world)
    one = LoginIdentity(registry_host="gcr.io", username="_json_key", account_id="one")
    for _ in range(3):
        refused(admission, one)
    with admission.for_test(LoginIdentity(registry_host="gcr.io", username="_json_key", account_id="two")):
        pass
    with pytest.raises(LoginDelayed), admission.for_test(one):
        raise AssertionError("it was tried")
    assert hold_name("octo", "one") == hold_name("octo", "two") == "octo"
    held = world.add("gcr.io", user="_json_key", account="one")
    assert world.hear(held) == ["postponed"]
    other = world.add("gcr.io", user="_json_key", account="two")
    assert world.hear(other) == ["verified"]


def test_tests_of_one_username_run_one_at_a_time(world: World) -> None:
    admission, inside, go_on = admission_of(world), Event(), Event()

    def first() -> None:
        with admission.for_test(OCTO) as attempt:
            inside.set()
            assert go_on.wait(PATIENCE)
            attempt.ended("bad_credential")

    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(first)
        assert inside.wait(PATIENCE)
        with pytest.raises(LoginDelayed) as refusal, admission.for_test(OCTO):
            raise AssertionError("two at a time")
        go_on.set()
        slow.result()
    assert refusal.value.reason == "too_many_logins"


def test_a_refused_caller_uses_no_token(make_world: Callable[..., World]) -> None:
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


def test_an_exception_releases_the_slot(world: World) -> None:
    admission = admission_of(world)
    for _ in range(20):
        with pytest.raises(ZeroDivisionError), admission.for_test(OCTO):
            raise ZeroDivisionError
    with admission.for_test(OCTO):
        pass
