"""Requests of one caller take turns, and leave the turn while they only wait."""

import time
from collections.abc import Callable, Hashable

import pytest

from chassis.runtime.guarded_dependency import GuardedDependency
from chassis.runtime.slots import Slots
from chassis.runtime.turns import (
    ACTIVE,
    BURST_SECONDS,
    FAILED_SECONDS,
    REST_SECONDS,
    SHARE,
    SLOW_SECONDS,
    Turn,
    Turns,
    out_of_turn,
)


class Site:
    """Turns with a clock that stands still. `began` are the names of the turns in their order."""

    def __init__(self, most: int = 4) -> None:
        self.now = 100.0
        self.turns = Turns(most, monotonic=lambda: self.now)
        self.began: list[str] = []
        self.callers: dict[str, str] = {}
        self._moments: dict[str, float] = {}

    def take(self, *names: str, size: int = 0) -> None:
        """Each is a caller and a number, as in `a1`. The caller in `callers` comes first."""
        for name in names:
            self.turns.take(self._caller(name), self._begin(name), size=size)

    def _caller(self, name: str) -> Callable[[], Hashable]:
        return lambda: self.callers.get(name, name[0])

    def _begin(self, name: str) -> Callable[[Hashable, float], None]:
        def begin(caller: Hashable, moment: float) -> None:
            assert caller == self._caller(name)()
            self.began.append(name)
            self._moments[name] = moment

        return begin

    def end(self, name: str, *, used: float = 0.0, failed: bool = False) -> None:
        self.turns.end(self._caller(name)(), self._moments[name], used=used, failed=failed)

    def other(self, *, used: float = 0.05) -> None:
        """Another caller has a turn, which uses a processor for some seconds."""
        began: list[tuple[Hashable, float]] = []
        other = object()
        self.turns.take(lambda: other, lambda *turn: began.append(turn))
        self.turns.end(*began[-1], used=used)

    def turn(self, name: str) -> Turn:
        return Turn(self.turns, self._caller(name)(), self._moments[name])

    def after(self, seconds: float) -> list[str]:
        """What has begun when these seconds have passed."""
        self.now += seconds
        self.turns.begin_due()
        return self.began


def test_a_caller_has_one_turn_and_delays_no_other() -> None:
    site = Site()
    site.take("a1", "a2", "a3", "b1")
    assert site.began == ["a1", "b1"]
    assert (site.turns.waiting, site.turns.waiting_of("a")[0], site.turns.waiting_of("b")[0]) == (2, 2, 0)
    site.end("a1")
    assert site.began == ["a1", "b1", "a2"]
    site.end("a2")
    site.end("a3")
    assert (site.turns.waiting, site.turns.waiting_of("a")) == (0, (0, 0))


def test_a_slow_turn_delays_the_next_one_a_little() -> None:
    site = Site(most=3)
    site.take("a1", "a2", "a3", "a4")
    assert site.after(SLOW_SECONDS - 0.01) == ["a1"]
    assert site.after(0.02) == ["a1", "a2"]
    assert site.after(SLOW_SECONDS / 2) == ["a1", "a2"]
    assert site.after(SLOW_SECONDS) == ["a1", "a2", "a3"]
    assert site.after(10 * SLOW_SECONDS) == ["a1", "a2", "a3"], "it has the most turns"
    site.end("a2")
    assert site.began == ["a1", "a2", "a3", "a4"]


def test_the_end_of_a_slow_turn_begins_none_while_another_is_new() -> None:
    site = Site()
    site.take("a1", "a2", "a3")
    site.after(SLOW_SECONDS)
    site.end("a1")
    assert site.began == ["a1", "a2"]
    site.end("a2")
    assert site.began == ["a1", "a2", "a3"]


def test_a_caller_rests_for_what_it_used_while_others_are_active() -> None:
    site = Site()
    site.other()
    site.take("a1", "a2", "a3")
    site.end("a1", used=BURST_SECONDS + 0.01)
    assert site.after(0.01 / SHARE - 0.001)[-1] == "a1"
    assert site.after(0.002)[-1] == "a2"
    site.after(3)
    site.end("a2", used=BURST_SECONDS + 0.01)
    assert site.began[-1] == "a3", "no other caller was active lately"


def test_few_requests_of_others_are_no_reason_to_rest() -> None:
    site = Site()
    site.other(used=0.5 * ACTIVE)
    site.take("a1", "a2")
    site.end("a1", used=1)
    assert site.began[-1] == "a2"


def test_a_caller_that_uses_less_than_its_share_does_not_rest() -> None:
    site = Site()
    for number in range(100):
        site.other()
        site.take(f"a{number}")
        assert site.began[-1] == f"a{number}"
        site.now += 0.03
        site.end(f"a{number}", used=0.9 * SHARE * 0.03)


def test_the_rest_after_much_use_is_short() -> None:
    site = Site()
    site.take("a1")
    site.now += 60
    site.other()
    site.take("a2", "a3")
    site.end("a1", used=60)
    assert site.began[-1] == "a2"
    site.other(used=60)
    site.end("a2", used=60)
    assert site.after(REST_SECONDS - 0.001)[-1] == "a2"
    assert site.after(0.002)[-1] == "a3"


def test_a_turn_counts_what_its_thread_used() -> None:
    site = Site()
    site.other()
    site.take("a1", "a2")
    with site.turn("a1"):
        began = time.thread_time()
        while time.thread_time() < began + BURST_SECONDS + 0.01:
            pass
    assert site.after(0.01 / SHARE - 0.001)[-1] == "a1"


def test_a_turn_counts_what_its_thread_used_while_it_only_waited() -> None:
    site = Site()
    site.other()
    site.take("a1")
    with site.turn("a1"):
        with out_of_turn():
            began = time.thread_time()
            while time.thread_time() < began + BURST_SECONDS + 0.01:
                pass
        site.take("a2")
    assert site.after(0.01 / SHARE - 0.001)[-1] == "a1"


def test_an_end_does_not_shorten_a_rest() -> None:
    site = Site()
    site.take("a1", "a2", "a3")
    site.after(SLOW_SECONDS + 0.001)
    site.end("a1", failed=True)
    site.end("a2")
    assert site.began[-1] == "a2"


def test_a_turn_moves_to_the_caller_that_it_turns_out_to_be() -> None:
    site = Site()
    site.take("a1", "a2", "b1")
    turn = site.turn("a1")
    with turn:
        turn.move("b")
        assert site.began == ["a1", "b1", "a2"]
        site.take("b2")
        site.end("b1")
        assert site.began[-1] == "a2", "b has the turn that moved"
    assert site.began[-1] == "b2"


def test_a_turn_does_not_move_to_a_caller_that_has_to_wait() -> None:
    for own in (("b1", "b2"), ("b1",)):
        site = Site(most=2 if len(own) > 1 else 1)
        site.take(*own, "a1", "a2")
        turn = site.turn("a1")
        with turn:
            turn.move("b")
            assert site.began == ["b1", "a1"], "it remains a turn of a"
        assert site.began == ["b1", "a1", "a2"]


def test_requests_that_wait_become_those_of_the_caller_that_they_turn_out_to_be() -> None:
    site = Site()
    site.take("a1", "a2", "a3", "a4", "b1")
    site.callers = {"a2": "b", "a3": "b"}
    site.end("a1")
    assert site.began == ["a1", "b1", "a4"], "a2 and a3 wait for the turn of b"
    assert site.turns.waiting_of("b")[0] == site.turns.waiting == 2
    site.end("b1")
    assert site.began[-1] == "a2"
    site.end("a2")
    site.end("a3")
    assert site.turns.waiting == 0


def test_requests_of_a_caller_without_a_turn_begin_when_due() -> None:
    site = Site()
    site.take("a1", "a2")
    site.callers = {"a2": "b"}
    site.end("a1")
    assert site.after(0.0) == ["a1", "a2"]


def test_what_the_requests_of_a_caller_hold_is_known_while_they_wait() -> None:
    site = Site()
    site.take("a1", "a2", "a3", size=10)
    assert site.turns.waiting_of("a") == (2, 20)
    site.end("a1")
    assert site.turns.waiting_of("a") == (1, 10)


def test_nobody_rests_while_the_process_stops() -> None:
    site = Site()
    site.take("a1", "a2", "a3")
    site.end("a1", failed=True)
    site.turns.end_rests()
    assert site.after(0.0) == ["a1", "a2"]
    site.end("a2", failed=True)
    assert site.began[-1] == "a3"


def test_what_is_refused_is_repeated_slowly() -> None:
    site = Site()
    site.take("a1")
    site.end("a1", failed=True)
    site.take("a2", "b1")
    assert site.began == ["a1", "b1"]
    assert site.after(FAILED_SECONDS - 0.001) == ["a1", "b1"]
    assert site.after(0.002) == ["a1", "b1", "a2"]


def test_a_request_takes_no_turn_while_it_waits() -> None:
    site = Site()
    site.take("a1", "a2")
    with site.turn("a1"):
        site.take("a3")
        assert site.began == ["a1"]
        with Slots(total=1, per_account=1, retry_after=1).one("a"), GuardedDependency(slots=1).call():
            assert site.began == ["a1", "a2"]
        site.now += 0.001
        site.end("a2")
        assert site.began == ["a1", "a2"], "it went on, and is new again"
    assert site.began == ["a1", "a2", "a3"]
    site.end("a3")
    assert (site.turns.waiting, site.turns.waiting_of("a")) == (0, (0, 0))


def test_a_request_takes_its_turn_while_it_uses_the_database() -> None:
    site = Site()
    site.take("a1", "a2")
    with site.turn("a1"), GuardedDependency(slots=1, in_turn=True).call():
        assert site.began == ["a1"]
    assert site.began == ["a1", "a2"]


def test_an_exception_ends_the_turn() -> None:
    site = Site()
    site.take("a1", "a2")
    with pytest.raises(ZeroDivisionError), site.turn("a1"), out_of_turn():
        raise ZeroDivisionError
    assert site.began == ["a1", "a2"]
