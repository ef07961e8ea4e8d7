"""The loops of a process, and whether each of them still makes steps.

A loop that waits for a database, a broker or its leadership makes steps, because each of its waits is short.
"""

from collections.abc import Callable
from threading import Thread
from time import monotonic

DEAD_AFTER_SECONDS = 120.0  # longer than the longest step, for example the erasure of a large account

Step = Callable[[], None]


class Loops:
    """Times of the last steps. Each loop calls its own function, so no lock is needed."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._steps: dict[str, float] = {}
        self._threads: list[Thread] = []

    def add(self, name: str) -> Step:
        """The function that this loop calls at each step. The time of the first step begins now."""

        def step() -> None:
            self._steps[name] = self._now()

        step()
        return step

    def watch(self, thread: Thread) -> None:
        """Watch a loop whose steps may take any time: it is dead when its thread has ended."""
        self._threads.append(thread)

    def dead(self) -> list[str]:
        """The names of the loops without a step for `DEAD_AFTER_SECONDS`, and of ended threads."""
        now = self._now()
        still = [name for name, last in self._steps.items() if now - last > DEAD_AFTER_SECONDS]
        return still + [thread.name for thread in self._threads if thread.ident and not thread.is_alive()]


def no_step() -> None:
    """The step of a loop that nobody watches."""
