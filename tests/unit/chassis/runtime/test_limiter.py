"""Batches of shared token buckets. The buckets of these tests are in memory; `tests/integration` has the real ones."""

from dataclasses import dataclass, field

import pytest

from chassis.runtime.limiter import BATCH_SECONDS, UNAVAILABLE_SECONDS, Limit, Limiter, LimitReached, Taken

LIMIT = Limit(name="account", quota=100, seconds=10)
BATCH = LIMIT.batch


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class MemoryBuckets:
    """Buckets that are filled by the clock."""

    clock: Clock
    reachable: bool = True
    calls: int = 0
    available: dict[str, tuple[float, float]] = field(default_factory=dict)

    def take(self, name: str, limit: Limit, *, spent: float, wanted: int) -> Taken | None:
        self.calls += 1
        if not self.reachable:
            return None
        before, moment = self.available.get(name, (float(limit.quota), self.clock.now))
        rate = limit.quota / limit.seconds
        left = min(limit.quota, before + (self.clock.now - moment) * rate) - spent
        granted = float(max(min(wanted, int(left)), 0))
        self.available[name] = (left - granted, self.clock.now)
        return Taken(
            granted=granted,
            available=left - granted,
            retry_after=0.0 if granted else (1 - left) / rate,
        )


def spend_all(limiter: Limiter, of: str, limit: Limit = LIMIT) -> int:
    """The number of units until the limit is reached."""
    for spent in range(10 * limit.quota):
        try:
            limiter.spend(limit, of)
        except LimitReached:
            return spent
    raise AssertionError("the limit is never reached")


def test_the_quota_is_admitted_and_then_nothing_until_it_fills_again() -> None:
    clock = Clock()
    limiter = Limiter(MemoryBuckets(clock), monotonic=clock)
    assert spend_all(limiter, "acme") == LIMIT.quota
    with pytest.raises(LimitReached) as reached:
        limiter.spend(LIMIT, "acme")
    assert reached.value.retry_after == 1
    clock.now += 5
    assert spend_all(limiter, "acme") == LIMIT.quota // 2


def test_another_account_has_its_own_quota() -> None:
    clock = Clock()
    limiter = Limiter(MemoryBuckets(clock), monotonic=clock)
    spend_all(limiter, "acme")
    assert spend_all(limiter, "globex") == LIMIT.quota


def test_processes_share_a_quota() -> None:
    clock = Clock()
    buckets = MemoryBuckets(clock)
    processes = [Limiter(buckets, monotonic=clock) for _ in range(4)]
    assert sum(spend_all(process, "acme") for process in processes) == LIMIT.quota


def test_a_process_asks_the_database_once_for_each_batch() -> None:
    clock = Clock()
    buckets = MemoryBuckets(clock)
    limiter = Limiter(buckets, monotonic=clock)
    for _ in range(10 * BATCH):
        limiter.spend(LIMIT, "acme")
    assert buckets.calls == 10


def test_a_refused_caller_costs_the_database_nothing() -> None:
    clock = Clock()
    buckets = MemoryBuckets(clock)
    limiter = Limiter(buckets, monotonic=clock)
    spend_all(limiter, "acme")
    calls = buckets.calls
    for _ in range(100):
        with pytest.raises(LimitReached):
            limiter.spend(LIMIT, "acme")
    assert buckets.calls == calls


def test_what_a_process_did_not_spend_is_returned() -> None:
    clock = Clock()
    buckets = MemoryBuckets(clock)
    limit = Limit(name="events", quota=100_000, seconds=86_400)
    limiter = Limiter(buckets, monotonic=clock)
    limiter.spend(limit, "acme")
    clock.now += BATCH_SECONDS
    limiter.spend(limit, "acme")
    allowance = limiter.spend(limit, "acme")
    assert allowance is not None
    assert allowance.remaining >= limit.quota - 3


def test_units_that_were_spent_in_any_case_are_a_debt() -> None:
    clock = Clock()
    limiter = Limiter(MemoryBuckets(clock), monotonic=clock)
    limiter.charge(LIMIT, "acme", 99)
    assert spend_all(limiter, "acme") == 1
    clock.now += LIMIT.seconds
    limiter.charge(LIMIT, "acme", 150)
    clock.now += LIMIT.seconds // 2
    with pytest.raises(LimitReached):
        limiter.spend(LIMIT, "acme", 0)
    clock.now += LIMIT.seconds
    assert spend_all(limiter, "acme") > 0


def test_nothing_is_limited_while_the_database_is_away() -> None:
    clock = Clock()
    buckets = MemoryBuckets(clock, reachable=False)
    limiter = Limiter(buckets, monotonic=clock)
    for _ in range(2 * LIMIT.quota):
        assert limiter.spend(LIMIT, "acme") is None
    assert buckets.calls == 1, "one request waits for the database"
    buckets.reachable = True
    clock.now += UNAVAILABLE_SECONDS
    assert spend_all(limiter, "acme") == LIMIT.quota


def test_a_quota_of_zero_limits_nothing() -> None:
    clock = Clock()
    buckets = MemoryBuckets(clock)
    limiter = Limiter(buckets, monotonic=clock)
    off = Limit(name="account", quota=0, seconds=10)
    limiter.charge(off, "acme", 1)
    assert limiter.spend(off, "acme") is None
    assert buckets.calls == 0


def test_the_remaining_quota_and_the_time_until_all_of_it_are_reported() -> None:
    clock = Clock()
    limiter = Limiter(MemoryBuckets(clock), monotonic=clock)
    first = limiter.spend(LIMIT, "acme")
    assert first is not None
    assert (first.remaining, first.reset_seconds) == (99, 1)
    for _ in range(48):
        limiter.spend(LIMIT, "acme")
    half = limiter.spend(LIMIT, "acme")
    assert half is not None
    assert (half.remaining, half.reset_seconds) == (50, 5)
