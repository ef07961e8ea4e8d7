"""Waiting for what must come, and telling what is fast from what is slow, on machines of any speed."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# How long anything may take to come. It costs nothing where things come sooner, and a machine under load is no
# failure.
PATIENCE = 60.0


def waiting(condition: Callable[[], T], what: str = "it comes", *, seconds: float = PATIENCE) -> T:
    """The first true value of `condition`; fails if there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def quick(attempt: Callable[[], T], *, seconds: float, tries: int = 5) -> T:
    """What the first of `tries` attempts returns that ends within `seconds`; fails if none does.

    What is slow by its nature is slow each time; a busy machine is not. The attempt is made anew each time, so it
    must be one that can be.
    """
    took = []
    for _ in range(tries):
        began = time.monotonic()
        value = attempt()
        took.append(round(time.monotonic() - began, 3))
        if took[-1] < seconds:
            return value
    raise AssertionError(f"not once within {seconds} s: {took}")
