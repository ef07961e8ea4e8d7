"""Requests take turns by caller, so that one caller's many requests delay nobody else's by much.

All processes of a machine share its processors, and all requests of a process its Python interpreter. One
request that runs delays the others a little, and each further one delays them more.
"""

import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from math import exp
from threading import Lock, local

SLOW_SECONDS = 0.1
FAILED_SECONDS = 0.025
SHARE = 1 / 6
BURST_SECONDS = 0.1
REST_SECONDS = 0.5
ACTIVE = 0.01
_REMEMBERED_SECONDS = 5.0  # after the last turn of a caller

Begin = Callable[[Hashable, float], None]


@dataclass(slots=True)
class _Use:
    """How much of a processor was used lately: the older, the less it counts. 1.0 is all of one."""

    value: float = 0.0
    moment: float = 0.0

    def add(self, seconds: float, moment: float) -> float:
        self.value = self.value * exp(self.moment - moment) + seconds
        self.moment = moment
        return self.value


@dataclass(frozen=True, slots=True)
class _Waiting:
    caller: Callable[[], Hashable]
    begin: Begin
    size: int


@dataclass(slots=True)
class _Caller:
    began: list[float] = field(default_factory=list)  # the moments of the turns that it has
    ended: float = 0.0
    excess: float = 0.0  # the seconds of a processor that it has used, less its share of the time since
    use: _Use = field(default_factory=_Use)
    not_before: float = 0.0
    waiting: deque[_Waiting] = field(default_factory=deque)


class Turns:
    """A caller's turn begins when its previous one has ended, or has taken `SLOW_SECONDS`.

    A caller has at most `most` turns. While the others use more than the part `ACTIVE` of a processor, one
    that has used more than `SHARE` of it, beyond `BURST_SECONDS`, rests after a turn, at most `REST_SECONDS`.
    After a turn that failed it rests `FAILED_SECONDS` at least, because a client would otherwise repeat what
    is refused as fast as it can be refused.

    Further requests wait without a thread. Who sent one may become known while it waits: it then waits with
    the others of that caller. A turn is identified by its caller and the moment when it began. `monotonic` is
    a clock in seconds.
    """

    def __init__(self, most: int, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._monotonic = monotonic
        self._callers: dict[Hashable, _Caller] = {}
        self._use = _Use()
        self._rests = True
        self._lock = Lock()
        self.waiting = 0

    def waiting_of(self, caller: Hashable) -> tuple[int, int]:
        """How many turns a caller waits for, and the size of their requests together."""
        with self._lock:
            found = self._callers.get(caller)
            waiting = found.waiting if found else ()
            return len(waiting), sum(one.size for one in waiting)

    def take(self, caller: Callable[[], Hashable], begin: Begin, *, size: int = 0) -> None:
        """Call `begin` with caller and moment when it has a turn: here, in an `end`, or in `begin_due`.

        `caller` returns who sent the request, as far as it is known. `size` is that of what it holds.
        """
        with self._lock:
            moment = self._monotonic()
            first = caller()
            self._of(first).waiting.append(_Waiting(caller, begin, size))
            self.waiting += 1
            begun = self._next(first, moment)
        if begun:
            begun()

    def end(self, caller: Hashable, began: float, *, used: float = 0.0, failed: bool = False) -> None:
        """End the turn of a caller that began at a moment and used a processor for some seconds."""
        with self._lock:
            moment = self._monotonic()
            found = self._callers[caller]
            found.began.remove(began)
            most = BURST_SECONDS + REST_SECONDS * SHARE
            found.excess = min(max(found.excess - SHARE * (moment - found.ended), 0.0) + used, most)
            found.ended = moment
            others = self._use.add(used, moment) - found.use.add(used, moment)
            rest = (found.excess - BURST_SECONDS) / SHARE if others > ACTIVE else 0.0
            rest = max(rest, FAILED_SECONDS if failed else 0.0)
            found.not_before = max(found.not_before, moment + rest)
            begun = self._next(caller, moment)
        if begun:
            begun()

    def resume(self, caller: Hashable) -> float:
        """Take a turn for a request that goes on, also if the caller has too many with it."""
        with self._lock:
            moment = self._monotonic()
            self._of(caller).began.append(moment)
            return moment

    def try_resume(self, caller: Hashable) -> float | None:
        """Take a turn for a request that goes on, if the caller has one left that nothing waits for."""
        with self._lock:
            found = self._of(caller)
            if found.waiting or len(found.began) >= self._most:
                return None
            moment = self._monotonic()
            found.began.append(moment)
            return moment

    def begin_due(self) -> None:
        """Begin the turns whose time has come. Call it every few milliseconds while some wait."""
        with self._lock:
            moment = self._monotonic()
            begun = [self._next(caller, moment) for caller in list(self._callers)]
            self._callers = {
                caller: found
                for caller, found in self._callers.items()
                if found.began or found.waiting or moment < found.ended + _REMEMBERED_SECONDS
            }
        for begin in begun:
            if begin:
                begin()

    def end_rests(self) -> None:
        """Let no caller rest any more, because the process stops."""
        with self._lock:
            self._rests = False

    def _of(self, caller: Hashable) -> _Caller:
        return self._callers.setdefault(caller, _Caller())

    def _next(self, caller: Hashable, moment: float) -> Callable[[], None] | None:
        """Begins the next turn of a caller, whose moment is this. `None` if it waits."""
        found = self._callers[caller]
        if not found.waiting or len(found.began) >= self._most or (self._rests and moment < found.not_before):
            return None
        if any(moment - each < SLOW_SECONDS for each in found.began):
            return None
        while found.waiting:
            one = found.waiting.popleft()
            known = one.caller()
            if known != caller:
                self._of(known).waiting.append(one)  # `begin_due` begins it
                continue
            found.began.append(moment)
            self.waiting -= 1
            return partial(one.begin, caller, moment)
        return None


class Turn:
    """A turn of a caller, for the request that this thread handles in this context. `None`: no turn."""

    def __init__(self, turns: Turns, caller: Hashable | None, began: float) -> None:
        self._turns = turns
        self._caller = caller
        self._began = began
        self._used_before = 0.0  # by this thread, in seconds
        self._pauses = 0
        self.failed = False

    def __enter__(self) -> None:
        _current.turn = self
        self._used_before = time.thread_time()

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
        """Take the turn again."""
        self._pauses -= 1
        if not self._pauses and self._caller is not None:
            self._began = self._turns.resume(self._caller)

    def move(self, caller: Hashable) -> None:
        """Make it a turn of another caller, unless that one has to wait for its next turn."""
        if caller == self._caller or self._pauses:
            return
        began = self._turns.try_resume(caller)
        if began is not None:
            self._turns.end(self._caller, self._began)
            self._caller, self._began = caller, began

    def _end(self) -> None:
        if self._caller is not None:
            before, self._used_before = self._used_before, time.thread_time()
            used = self._used_before - before
            self._turns.end(self._caller, self._began, used=used, failed=self.failed)


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
