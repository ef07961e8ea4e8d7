"""Waiting for what must come, on machines of any speed."""

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
