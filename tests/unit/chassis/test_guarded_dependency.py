"""The limit of the threads that wait for one dependency."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event
from time import sleep

import pytest

from chassis.runtime.guarded_dependency import OPEN_SECONDS, SLOW_SECONDS, GuardedDependency, NotAdmitted


class Clock:
    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class Lost(Exception):
    pass


def fail(guard: GuardedDependency, clock: Clock, *, after: float = SLOW_SECONDS) -> None:
    with suppress(Lost), guard.call():
        clock.seconds += after
        raise Lost


def succeed(guard: GuardedDependency) -> None:
    with guard.call():
        pass


def test_further_calls_are_refused_while_all_slots_wait() -> None:
    guard, entered, leave = GuardedDependency(slots=2), Event(), Event()

    def wait() -> None:
        with guard.call():
            entered.set()
            leave.wait()

    with ThreadPoolExecutor() as threads:
        first = threads.submit(wait)
        assert entered.wait(60)
        entered.clear()
        second = threads.submit(wait)
        assert entered.wait(60)
        with pytest.raises(NotAdmitted):
            succeed(guard)
        leave.set()
        first.result()
        second.result()
    succeed(guard)


def test_further_calls_wait_while_the_dependency_responds() -> None:
    guard = GuardedDependency(slots=1, slot_seconds=0.5)

    def respond(_number: int) -> None:
        with guard.call():
            sleep(0.1)

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(respond, range(16)))  # the last one waits for three times the limit


def test_the_circuit_opens_after_slow_failures_and_closes_after_a_success() -> None:
    clock = Clock()
    guard = GuardedDependency(slots=9, failures=3, monotonic=clock)
    for _ in range(3):
        fail(guard, clock)
    with pytest.raises(NotAdmitted):
        succeed(guard)
    clock.seconds += OPEN_SECONDS
    fail(guard, clock)  # one call tries the dependency, and it does not respond
    with pytest.raises(NotAdmitted):
        succeed(guard)
    clock.seconds += OPEN_SECONDS
    succeed(guard)
    succeed(guard)


def test_only_one_call_tries_a_dependency_that_did_not_respond() -> None:
    clock = Clock()
    guard = GuardedDependency(slots=9, failures=1, monotonic=clock)
    fail(guard, clock)
    clock.seconds += OPEN_SECONDS
    with guard.call(), pytest.raises(NotAdmitted):
        succeed(guard)
    succeed(guard)


def test_a_probe_that_ends_otherwise_lets_another_one_follow() -> None:
    clock = Clock()
    guard = GuardedDependency(slots=9, failures=1, monotonic=clock)
    fail(guard, clock)
    clock.seconds += OPEN_SECONDS
    with pytest.raises(KeyboardInterrupt), guard.call():
        raise KeyboardInterrupt
    succeed(guard)


def test_quick_failures_do_not_open_the_circuit() -> None:
    clock = Clock()
    guard = GuardedDependency(slots=9, failures=1, monotonic=clock)
    for _ in range(9):
        fail(guard, clock, after=SLOW_SECONDS / 2)
    succeed(guard)


def test_a_response_in_between_does_not_count_as_a_failure_in_a_row() -> None:
    clock = Clock()
    guard = GuardedDependency(slots=9, failures=2, monotonic=clock)
    for _ in range(5):
        fail(guard, clock)
        succeed(guard)
