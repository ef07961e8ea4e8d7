"""Requests take turns by caller, so that one caller's many requests delay nobody else's by much.

All requests of a process share one Python interpreter. A few that run at the same time use it as well as many
do, and each further one makes all others slower.
"""

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from threading import Lock, local


@dataclass(slots=True)
class _Caller:
    running: int = 0
    waiting: deque[Callable[[], None]] = field(default_factory=deque)


class Turns:
    """Each caller has at most `most` turns at the same time, and half of them while others have some.

    Further requests wait without a thread.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._callers: dict[Hashable, _Caller] = {}
        self._lock = Lock()
        self.waiting = 0

    def waiting_of(self, caller: Hashable) -> int:
        """How many turns a caller waits for."""
        with self._lock:
            found = self._callers.get(caller)
            return len(found.waiting) if found else 0

    def take(self, caller: Hashable, begin: Callable[[], None]) -> None:
        """Call `begin` as soon as the caller has a turn, here or in the thread that ends another one."""
        with self._lock:
            found = self._callers.setdefault(caller, _Caller())
            if found.running >= self._allowed():
                found.waiting.append(begin)
                self.waiting += 1
                return
            found.running += 1
        begin()

    def end(self, caller: Hashable) -> None:
        """End a turn of a caller."""
        begun = []
        with self._lock:
            found = self._callers[caller]
            found.running -= 1
            while found.waiting and found.running < self._allowed():
                begun.append(found.waiting.popleft())
                found.running += 1
                self.waiting -= 1
            if not found.running:
                del self._callers[caller]
        for begin in begun:
            begin()

    def _allowed(self) -> int:
        return self._most if len(self._callers) == 1 else max(self._most // 2, 1)


class Turn:
    """One turn of the current thread. `end` is called once, at its end or when it only waits."""

    def __init__(self, end: Callable[[], None]) -> None:
        self._end: Callable[[], None] | None = end

    def __enter__(self) -> None:
        _current.turn = self

    def __exit__(self, *_exception: object) -> None:
        _current.turn = None
        self.finish()

    def finish(self) -> None:
        """End it, unless it has ended."""
        end, self._end = self._end, None
        if end is not None:
            end()


_current = local()


def leave_turn() -> None:
    """Let another request of this caller begin, because the one of this thread only waits from here on."""
    turn: Turn | None = getattr(_current, "turn", None)
    if turn is not None:
        turn.finish()
