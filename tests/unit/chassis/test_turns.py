"""Requests of one caller take turns, and leave the turn while they only wait."""

from functools import partial

from chassis.runtime.slots import Slots
from chassis.runtime.turns import Turn, Turns, leave_turn


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


def test_a_request_that_only_waits_leaves_its_turn_once() -> None:
    ended = list[str]()
    with Turn(lambda: ended.append("end")):
        assert not ended
        with Slots(total=1, per_account=1, retry_after=1).one("a"):
            assert ended == ["end"]
        leave_turn()
    assert ended == ["end"]
    leave_turn()
    assert ended == ["end"]


def test_a_turn_ends_after_an_exception() -> None:
    ended = list[str]()
    try:
        with Turn(lambda: ended.append("end")):
            raise ZeroDivisionError
    except ZeroDivisionError:
        assert ended == ["end"]
