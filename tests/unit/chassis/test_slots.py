"""Slots limit concurrent requests, and a request without a slot is refused at once."""

from contextlib import ExitStack

import pytest

from chassis.runtime.slots import PROCESS_SLOTS, Slots, TooManyAtOnce


def test_slots_are_limited_in_total_and_per_account() -> None:
    slots = Slots(total=3, per_account=2, retry_after=7)
    with slots.one("a"), slots.one("a"):
        with pytest.raises(TooManyAtOnce) as refused, slots.one("a"):
            raise AssertionError("no slot was left")
        assert refused.value.retry_after == 7
        with slots.one("b"), pytest.raises(TooManyAtOnce), slots.one("c"):
            raise AssertionError("no slot was left")
        with slots.one("c"):
            pass


def test_reserved_slots_are_for_accounts_without_a_slot() -> None:
    slots = Slots(total=3, per_account=2, retry_after=1, reserved=1)
    with slots.one("a"), slots.one("a"):
        with slots.one("b"), pytest.raises(TooManyAtOnce), slots.one("c"):
            raise AssertionError("no slot was left")
        with slots.one("c"), pytest.raises(TooManyAtOnce), slots.one("c"):
            raise AssertionError("the last slot is reserved")


def test_a_slot_is_released_after_an_exception() -> None:
    slots = Slots(total=1, per_account=1, retry_after=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), slots.one("a"):
            raise ZeroDivisionError
    with slots.one("a"):
        pass


def test_all_kinds_together_leave_threads_to_short_requests() -> None:
    kinds = [Slots(total=PROCESS_SLOTS, per_account=PROCESS_SLOTS, retry_after=1) for _ in range(2)]
    with ExitStack() as held:
        for number in range(PROCESS_SLOTS):
            held.enter_context(kinds[number % 2].one(f"account-{number}"))
        with pytest.raises(TooManyAtOnce), kinds[0].one("another"):
            pass
    with kinds[0].one("another"):
        pass
