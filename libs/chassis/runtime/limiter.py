"""Limits for all processes together: each takes batches from token buckets in the database.

A process spends its batch without the database. The limits therefore hold up to one batch for each process.
If the database cannot be reached, nothing is limited.
"""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from time import monotonic as monotonic_clock
from typing import Protocol

BATCHES = 50  # of a quota; a process takes one of them at a time
BATCH_SECONDS = 10.0  # after this time, a process returns what it did not spend
UNAVAILABLE_SECONDS = 2.0  # without a limit after the database failed
_REMEMBERED = 10_000  # batches


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """`quota` units in `seconds`, of which all may be spent at once. A quota of 0 limits nothing.

    `name` names it in the fields `RateLimit` and `RateLimit-Policy`.
    """

    name: str
    quota: int
    seconds: int

    @property
    def batch(self) -> int:
        """What a process takes at a time."""
        return max(self.quota // BATCHES, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What is left of a limit, and the time in seconds until its whole quota is available."""

    limit: Limit
    remaining: int
    reset_seconds: int


class LimitReached(Exception):
    """The quota of a limit is spent. `retry_after` is in seconds."""

    def __init__(self, limit: Limit, retry_after: int) -> None:
        super().__init__(f"the limit {limit.name} is reached")
        self.limit = limit
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A batch: the granted units, the units left for others, and the wait in seconds if none was granted."""

    granted: float
    available: float
    retry_after: float


class Buckets(Protocol):
    """The shared token buckets."""

    def take(self, name: str, limit: Limit, *, spent: float, wanted: int) -> Taken | None:
        """Record what was spent, and take up to `wanted` more. `None` if the buckets cannot be reached."""


@dataclass(slots=True)
class _Batch:
    """What this process has left of a batch (negative: a debt), and until when."""

    units: float
    available: float  # for others, when the batch was taken
    until: float
    blocked_until: float = 0.0


class Limiter:
    """Admits what the limits allow. `monotonic` is a clock in seconds."""

    def __init__(self, buckets: Buckets, *, monotonic: Callable[[], float] = monotonic_clock) -> None:
        self._buckets = buckets
        self._monotonic = monotonic
        self._batches: dict[str, _Batch] = {}
        self._unlimited_until = 0.0
        self._lock = Lock()

    def spend(self, limit: Limit, of: str, units: int = 1) -> Allowance | None:
        """Spend units of the limit of `of`, an account, token or credential; with 0, only check it.

        `None` if it limits nothing. Several units are spent if at least one is left.

        Raises:
            LimitReached: nothing is left.
        """
        if not limit.quota:
            return None
        name, moment = f"{limit.name}:{of}", self._monotonic()
        with self._lock:
            batch = self._batches.get(name)
            if batch is not None and batch.units >= 1 and moment < batch.until:
                batch.units -= units
                return _allowance(limit, batch)
            if moment < self._unlimited_until:
                return None
            if batch is not None and moment < batch.blocked_until:
                raise LimitReached(limit, max(round(batch.blocked_until - moment), 1))
            unspent = batch.units if batch is not None else 0.0
            if batch is not None:
                batch.units = 0.0  # it is returned below, and other threads take batches of their own
        taken = self._buckets.take(name, limit, spent=-unspent, wanted=limit.batch)
        return self._settle(limit, name, moment, taken, units)

    def charge(self, limit: Limit, of: str, units: int) -> None:
        """Record units that were spent in any case. They may exceed what is left."""
        if not limit.quota:
            return
        name = f"{limit.name}:{of}"
        with self._lock:
            batch = self._batches.setdefault(name, _Batch(0.0, limit.quota, 0.0))
            batch.units -= units

    def _settle(
        self, limit: Limit, name: str, moment: float, taken: Taken | None, units: int
    ) -> Allowance | None:
        with self._lock:
            if taken is None:
                self._unlimited_until = moment + UNAVAILABLE_SECONDS
                return None
            if len(self._batches) >= _REMEMBERED:
                self._batches.clear()
            charged = self._batches.pop(name, None)  # what was charged while the batch was taken
            granted = taken.granted + (charged.units if charged is not None else 0.0)
            batch = _Batch(granted, taken.available, moment + min(BATCH_SECONDS, limit.seconds))
            self._batches[name] = batch
            if taken.granted < 1:
                batch.blocked_until = moment + min(taken.retry_after, BATCH_SECONDS)
                raise LimitReached(limit, max(round(taken.retry_after), 1))
            batch.units -= units
            return _allowance(limit, batch)


def _allowance(limit: Limit, batch: _Batch) -> Allowance:
    remaining = max(int(batch.units + batch.available), 0)
    missing = limit.quota - remaining
    return Allowance(
        limit=limit, remaining=remaining, reset_seconds=-(-missing * limit.seconds // limit.quota)
    )
