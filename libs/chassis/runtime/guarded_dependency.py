"""Limits the threads that wait for one dependency, so that the others serve requests that do not need it.

A bulkhead and a circuit breaker. `verifier.schedule.circuit_breaker` is another thing: it remembers for days
which registry hosts respond, and only defers scheduled logins.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from threading import BoundedSemaphore, Lock
from time import monotonic as monotonic_clock

from chassis.runtime.turns import out_of_turn

OPEN_SECONDS = 2.0  # calls are refused for this time; then one of them tries the dependency
SLOW_SECONDS = 0.5  # the default; a call that fails earlier does not occupy a thread for long
SLOT_SECONDS = 0.5  # the default; without a response for this time, no further thread waits for a slot


class NotAdmitted(Exception):
    """The dependency does not respond, or too many threads wait for it. It was not called.

    `retry_after` is in seconds.
    """

    def __init__(self) -> None:
        super().__init__("the dependency does not respond, or too many threads wait for it")
        self.retry_after = round(OPEN_SECONDS)


class GuardedDependency:
    """At most `slots` concurrent calls of a dependency, and only one while it does not respond.

    Further calls wait for a slot as long as others end: a busy dependency, or a pool that grows, is no reason
    to refuse them.

    After `failures` consecutive calls that failed after `slow_seconds` or later, the circuit is open: calls
    are refused at once. After `OPEN_SECONDS` one call is admitted. If it succeeds, the circuit is closed.

    A request takes no turn while it waits for the dependency, unless `in_turn`.
    """

    def __init__(
        self,
        *,
        slots: int,
        slot_seconds: float = SLOT_SECONDS,
        slow_seconds: float = SLOW_SECONDS,
        failures: int = 3,
        in_turn: bool = False,
        monotonic: Callable[[], float] = monotonic_clock,
    ) -> None:
        self._slots = BoundedSemaphore(slots)
        self._slot_seconds = slot_seconds
        self._slow_seconds = slow_seconds
        self._limit = failures
        self._in_turn = in_turn
        self._monotonic = monotonic
        self._lock = Lock()
        self._failures = 0
        self._ended = 0  # calls that did not wait in vain
        self._open_until = 0.0
        self._probing = False

    @contextmanager
    def call(self) -> Iterator[None]:
        """Call the dependency in this context.

        Raises:
            NotAdmitted: the circuit is open, or no slot was free and no call ended for `slot_seconds`.
        """
        with nullcontext() if self._in_turn else out_of_turn():
            yield from self._call()

    def _call(self) -> Iterator[None]:
        probe = self._admit()
        try:
            self._wait_for_slot()
            started = self._monotonic()
            try:
                yield
            except Exception:
                self._settle(failed=self._monotonic() - started >= self._slow_seconds)
                raise
            else:
                self._settle(failed=False)
            finally:
                self._slots.release()
        finally:
            if probe:
                self._probing = False

    def _admit(self) -> bool:
        """Return whether this call is the one that tries a dependency which did not respond."""
        with self._lock:
            if self._failures < self._limit:
                return False
            if self._probing or self._monotonic() < self._open_until:
                raise NotAdmitted
            self._probing = True
            return True

    def _wait_for_slot(self) -> None:
        ended = self._ended
        while not self._slots.acquire(timeout=self._slot_seconds):
            if ended == self._ended:
                raise NotAdmitted
            ended = self._ended

    def _settle(self, *, failed: bool) -> None:
        with self._lock:
            if not failed:
                self._failures = 0
                self._ended += 1
                return
            self._failures += 1
            if self._failures >= self._limit:
                self._open_until = self._monotonic() + OPEN_SECONDS
