"""Waiting for conditions, on machines of any speed."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Seconds that any condition may take. Tests that pass do not spend them, and a loaded machine is no failure.
PATIENCE = 120.0


def waiting(condition: Callable[[], T], what: str = "the condition holds", *, seconds: float = PATIENCE) -> T:
    """The first true value of `condition`, which is called until then.

    Raises:
        AssertionError: there is none within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)
