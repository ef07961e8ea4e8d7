"""Requests take turns by caller, so that one caller's many requests delay nobody else's by much.

All requests of a process share one Python interpreter. A few that run at the same time use it as well as many
do, and each further one makes all others slower.
"""

from collections import deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
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

    def resume(self, caller: Hashable) -> None:
        """Take a turn for a request that goes on, also if the caller has too many with it."""
        with self._lock:
            self._callers.setdefault(caller, _Caller()).running += 1

    def _allowed(self) -> int:
        return self._most if len(self._callers) == 1 else max(self._most // 2, 1)


class Turn:
    """The turn of a caller, for the request that this thread handles in this context. `None`: no turn."""

    def __init__(self, turns: Turns, caller: Hashable | None) -> None:
        self._turns = turns
        self._caller = caller
        self._pauses = 0

    def __enter__(self) -> None:
        _current.turn = self

    def __exit__(self, *_exception: object) -> None:
        _current.turn = None
        if not self._pauses:
            self._end()
        self._caller = None

    def pause(self) -> None:
        """End it until `resume`. Pauses can be nested."""
        self._pauses += 1
        if self._pauses == 1:
            self._end()

    def resume(self) -> None:
        """Take it again."""
        self._pauses -= 1
        if not self._pauses and self._caller is not None:
            self._turns.resume(self._caller)

    def _end(self) -> None:
        if self._caller is not None:
            self._turns.end(self._caller)


_current = local()


@contextmanager
def out_of_turn() -> Iterator[None]:
    """Let another request of the caller begin while that of this thread mostly waits, in this context."""
    turn: Turn | None = getattr(_current, "turn", None)
    if turn is None:
        yield
        return
    turn.pause()
    try:
        yield
    finally:
        turn.resume()
