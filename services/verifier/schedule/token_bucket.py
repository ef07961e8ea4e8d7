"""So many a second: a token bucket for each key, as the generic cell rate algorithm has it."""

from collections.abc import Callable
from math import inf
from threading import Lock

_SWEEP_AT = 10_000  # keys; those whose bucket is full again say nothing


class TokenBucket:
    """`per_second` for each key, after `burst` at once. `reserve` returns the wait of a caller that is too
    early.
    """

    def __init__(self, per_second: float, burst: int, *, monotonic: Callable[[], float]) -> None:
        self._interval = 1 / per_second
        self._slack = (burst - 1) * self._interval
        self._monotonic = monotonic
        self._lock = Lock()
        self._next: dict[str, float] = {}  # when the bucket of a key would be full again

    def reserve(self, key: str, at_most: float = inf) -> float:
        """Seconds to wait, 0.0 for none. A wait of more than `at_most` seconds reserves no token."""
        now = self._monotonic()
        with self._lock:
            full_at = max(self._next.get(key, now), now)
            wait = max(0.0, full_at - now - self._slack)
            if wait > at_most:
                return wait
            if len(self._next) >= _SWEEP_AT:
                self._next = {other: at for other, at in self._next.items() if at > now}
            self._next[key] = full_at + self._interval
        return wait
