"""Requests of one caller take turns, and leave the turn while they only wait."""

from functools import partial

import pytest

from chassis.runtime.guarded_dependency import GuardedDependency
from chassis.runtime.slots import Slots
from chassis.runtime.turns import Turn, Turns, out_of_turn


def test_a_caller_has_few_turns_and_delays_no_other() -> None:
    turns, began = Turns(2), list[str]()
    for number in range(4):
        turns.take("greedy", partial(began.append, f"greedy {number}"))
    turns.take("other", partial(began.append, "other"))
    assert began == ["greedy 0", "greedy 1", "other"]
    assert (turns.waiting, turns.waiting_of("greedy"), turns.waiting_of("other")) == (2, 2, 0)
    turns.end("other")
    turns.end("greedy")
    assert began[3:] == ["greedy 2"]
    for _ in range(3):
        turns.end("greedy")
    turns.take("greedy", partial(began.append, "again"))
    assert began[4:] == ["greedy 3", "again"]
    assert turns.waiting == 0


def test_a_caller_has_half_of_its_turns_while_others_have_some() -> None:
    turns, began = Turns(4), list[str]()
    for number in range(8):
        turns.take("greedy", partial(began.append, f"greedy {number}"))
    turns.take("other", partial(began.append, "other"))
    for _ in range(2):
        turns.end("greedy")
    assert len(began) == 5, "none begins in the place of the two that ended"
    turns.end("greedy")
    assert began[5:] == ["greedy 4"]
    turns.end("other")
    turns.end("greedy")
    assert began[6:] == ["greedy 5", "greedy 6", "greedy 7"]


def test_a_request_takes_no_turn_while_it_waits() -> None:
    turns, began = Turns(1), list[str]()
    turns.take("a", partial(began.append, "first"))
    turns.take("a", partial(began.append, "second"))
    with Turn(turns, "a"):
        turns.take("a", partial(began.append, "third"))
        assert began == ["first"]
        with Slots(total=1, per_account=1, retry_after=1).one("a"), GuardedDependency(slots=1).call():
            assert began == ["first", "second"]
    assert began == ["first", "second"], "it went on, so two were in progress"
    turns.end("a")
    assert began == ["first", "second", "third"]
    turns.end("a")
    assert turns.waiting_of("a") == turns.waiting == 0


def test_a_request_takes_its_turn_while_it_uses_the_database() -> None:
    turns, began = Turns(1), list[str]()
    for name in ("first", "second"):
        turns.take("a", partial(began.append, name))
    with Turn(turns, "a"), GuardedDependency(slots=1, in_turn=True).call():
        assert began == ["first"]
    assert began == ["first", "second"]


def test_an_exception_ends_the_turn() -> None:
    turns, began = Turns(1), list[str]()
    for name in ("first", "second"):
        turns.take("a", partial(began.append, name))
    with pytest.raises(ZeroDivisionError), Turn(turns, "a"), out_of_turn():
        raise ZeroDivisionError
    assert began == ["first", "second"]
