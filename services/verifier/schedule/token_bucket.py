"""A rate limit per key: token buckets, implemented with the generic cell rate algorithm."""

from collections.abc import Callable
from math import inf
from threading import Lock

_SWEEP_AT = 10_000  # keys; above this number, full buckets are deleted


class TokenBucket:
    """Buckets of `burst` tokens that are filled with `per_second` tokens a second, one for each key."""

    def __init__(self, per_second: float, burst: int, *, monotonic: Callable[[], float]) -> None:
        self._interval = 1 / per_second
        self._slack = (burst - 1) * self._interval
        self._monotonic = monotonic
        self._lock = Lock()
        self._next: dict[str, float] = {}  # when the bucket of a key is full again

    def reserve(self, key: str, at_most: float = inf) -> float:
        """Reserve a token. Returns the seconds until it is available, 0.0 if it is now.

        If these are more than `at_most`, no token is reserved.
        """
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
