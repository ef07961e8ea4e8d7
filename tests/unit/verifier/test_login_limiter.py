"""Limits of the rate and the number of logins, and the smaller limits of unresponsive hosts."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifier.schedule.backoff import hold_after, next_login
from verifier.schedule.circuit_breaker import (
    OPEN_SECONDS,
    RESPONDING_SECONDS,
    CircuitBreakers,
    CircuitState,
)
from verifier.schedule.login_limiter import ACCOUNT_TOKEN, BOTH_TOKENS, NO_TOKEN, Bulkhead, LoginLimiter, Wait
from verifier.schedule.rows import Due
from verifier.schedule.token_bucket import TokenBucket
from verifier.schedule.wait_list import LONGEST, PER_HOST, Claimed, partition

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
RESPONDING, UNTRIED, SUSPECT = CircuitState.RESPONDING, CircuitState.UNTRIED, CircuitState.SUSPECT


class Clock:
    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@given(
    st.lists(st.floats(0, 3), min_size=1, max_size=60),
    st.sampled_from([0.5, 2.0, 10.0]),
    st.integers(1, 10),
)
def test_the_token_bucket_never_exceeds_burst_and_rate(gaps: list[float], rate: float, burst: int) -> None:
    clock = Clock()
    bucket = TokenBucket(rate, burst, monotonic=clock)
    turns = []
    for gap in gaps:
        clock.at += gap
        turns.append(clock.at + bucket.reserve("host"))
    assert turns == sorted(turns)
    for first in range(len(turns)):
        for last in range(first, len(turns)):
            assert last - first + 1 <= burst + (turns[last] - turns[first]) * rate + 1e-6


def test_keys_have_separate_buckets_and_full_buckets_are_dropped() -> None:
    clock = Clock()
    bucket = TokenBucket(1, 1, monotonic=clock)
    assert [bucket.reserve("a"), bucket.reserve("a"), bucket.reserve("b")] == [0, 1, 0]
    for number in range(20_000):
        clock.at += 1
        bucket.reserve(str(number))
    assert len(bucket._next) <= 10_001


def entered(bulkhead: Bulkhead, *logins: tuple[str, str], first: bool = True) -> int:
    """How many of these logins, (host, account), get a slot."""
    return [bulkhead.enter(host, account, RESPONDING, first=first) for host, account in logins].count(True)


def test_a_host_gets_a_quarter_of_the_slots_and_an_account_too() -> None:
    bulkhead = Bulkhead(16)
    assert [bulkhead.enter("a", f"account {n}", RESPONDING) for n in range(5)] == [True] * 4 + [False]
    assert [bulkhead.enter(f"h{n}", "greedy", RESPONDING) for n in range(9)] == [True] * 4 + [False] * 5
    bulkhead.leave("a", "account 0")
    assert bulkhead.enter("a", "account 9", RESPONDING)


def test_few_accounts_cannot_take_all_slots() -> None:
    bulkhead = Bulkhead(16)
    greedy = [(f"h{n}", f"greedy {n % 3}") for n in range(60)]
    assert entered(bulkhead, *greedy) == 12
    assert entered(bulkhead, ("x", "one"), first=False) == 0  # the reserve is for first logins
    assert entered(bulkhead, *[(f"x{n}", "one") for n in range(3)]) == 1
    assert entered(bulkhead, *[("y", f"another {n}") for n in range(3)]) == 3
    assert entered(bulkhead, ("z", "late")) == 0
    for n in range(2):
        bulkhead.leave("y", f"another {n}")
    assert entered(bulkhead, ("z", "late"), ("z", "later"), ("z", "last")) == 2


def test_an_account_gets_half_of_a_host() -> None:
    bulkhead = Bulkhead(16)
    assert entered(bulkhead, *[("a", "greedy")] * 5) == 2
    assert entered(bulkhead, *[("a", "second")] * 5) == 1
    assert entered(bulkhead, ("a", "first login here")) == 1


@pytest.mark.parametrize("state", [UNTRIED, SUSPECT])
def test_a_host_has_one_slot_until_it_responds(state: CircuitState) -> None:
    bulkhead = Bulkhead(16)
    assert [bulkhead.enter("a", f"{n}", state) for n in range(2)] == [True, False]
    assert [bulkhead.enter("a", f"{n}", RESPONDING) for n in range(4)] == [True] * 3 + [False]


def test_an_untried_host_can_have_a_larger_limit() -> None:
    bulkhead = Bulkhead(8, per_host=4, untried=4)
    assert [bulkhead.enter("a", f"{n}", UNTRIED) for n in range(5)] == [True] * 4 + [False]


def test_all_suspect_hosts_share_a_quarter_of_the_slots() -> None:
    bulkhead = Bulkhead(16)
    assert [bulkhead.enter(f"dead {n}", f"{n}", SUSPECT) for n in range(5)] == [True] * 4 + [False]
    assert bulkhead.enter("live", "x", UNTRIED)
    bulkhead.leave("dead 0", "0")
    assert bulkhead.enter("dead 9", "9", SUSPECT)


def test_the_circuit_of_an_unresponsive_host_opens_and_the_host_stays_suspect() -> None:
    clock = Clock()
    breakers = CircuitBreakers(clock)
    assert (breakers.state("a", "x"), breakers.open_for("a", "x")) == (UNTRIED, 0)
    breakers.record("a", "x", responded=False)
    assert (breakers.state("a", "x"), breakers.open_for("a", "x")) == (SUSPECT, OPEN_SECONDS)
    clock.at += OPEN_SECONDS
    assert (breakers.state("a", "x"), breakers.open_for("a", "x")) == (SUSPECT, 0)
    breakers.record("a", "x", responded=True)
    assert (breakers.state("a", "x"), breakers.open_for("a", "x")) == (RESPONDING, 0)
    clock.at += RESPONDING_SECONDS
    assert breakers.state("a", "x") is UNTRIED


def test_logins_of_one_account_open_no_circuit_for_others() -> None:
    clock = Clock()
    breakers = CircuitBreakers(clock)
    breakers.record("a", "x", responded=True)
    for _ in range(5):
        breakers.record("a", "x", responded=False)
    assert (breakers.state("a", "y"), breakers.open_for("a", "y")) == (RESPONDING, 0)
    assert breakers.open_for("a", None) == 0
    breakers.record("a", "y", responded=False)
    assert (breakers.state("a", "z"), breakers.open_for("a", "z")) == (SUSPECT, OPEN_SECONDS)
    assert breakers.open_for("a", None) == OPEN_SECONDS
    breakers.record("a", "z", responded=True)
    assert {breakers.state("a", account) for account in "xyz"} == {RESPONDING}


def test_many_accounts_of_a_host_are_not_all_remembered() -> None:
    breakers = CircuitBreakers(Clock())
    for number in range(1000):
        breakers.record("a", f"{number}", responded=False)
    assert len(breakers._hosts["a"].failed) <= 100
    assert breakers.state("a", "0") is SUSPECT


def test_old_hosts_are_dropped() -> None:
    clock = Clock()
    breakers = CircuitBreakers(clock)
    for number in range(25_000):
        clock.at += 1
        breakers.record(str(number), "x", responded=True)
    assert len(breakers._hosts) <= 10_000
    assert breakers.state("24999", "x") is RESPONDING


def test_the_oldest_of_very_many_hosts_without_response_are_dropped() -> None:
    breakers = CircuitBreakers(Clock())
    for number in range(10_100):
        breakers.record(str(number), "x", responded=False)
    assert len(breakers._hosts) <= 10_000
    assert breakers.state("10099", "x") is SUSPECT


def test_a_login_without_a_request_does_not_change_the_circuit() -> None:
    limiter = LoginLimiter(per_host=100, per_account=100, monotonic=Clock())
    bulkhead = Bulkhead(8)
    assert limiter.admit(bulkhead, "a", "x", NO_TOKEN) is None
    limiter.leave(bulkhead, "a", "x", responded=False)
    assert limiter.admit(bulkhead, "a", "x", NO_TOKEN) is None
    limiter.leave(bulkhead, "a", "x", responded=None)
    assert limiter.open_for("a", "x") == OPEN_SECONDS
    assert limiter.admit(bulkhead, "a", "x", NO_TOKEN) is None
    limiter.leave(bulkhead, "a", "x", responded=True)
    assert limiter.open_for("a", "x") == 0
    assert [limiter.admit(bulkhead, "a", f"{n}", NO_TOKEN) is None for n in range(3)] == [True, True, False]


def test_an_account_with_many_logins_does_not_make_others_wait_at_a_host() -> None:
    clock = Clock()
    limiter = LoginLimiter(per_host=10, per_account=10, monotonic=clock)
    bulkhead = Bulkhead(10_000, per_host=10_000, untried=10_000)
    stages = [NO_TOKEN] * 400
    for _ in range(40):
        clock.at += 0.25
        for number, stage in enumerate(stages):
            wait = limiter.admit(bulkhead, "a", f"greedy {number % 4}", stage)
            stages[number] = wait.stage if wait else NO_TOKEN
    wait = limiter.admit(bulkhead, "a", "modest", NO_TOKEN)
    assert wait is None or (wait.stage == BOTH_TOKENS and wait.seconds <= 1)
    retry = limiter.no_slot("a", "modest", NO_TOKEN)
    assert retry.seconds <= 1


def test_reserved_tokens_are_not_reserved_again() -> None:
    clock = Clock()
    limiter = LoginLimiter(per_host=4, per_account=1000, monotonic=clock)
    bulkhead = Bulkhead(1000, untried=250)
    for _ in range(16):
        assert limiter.admit(bulkhead, "a", "x", NO_TOKEN) is None
    assert limiter.admit(bulkhead, "a", "x", NO_TOKEN) == Wait(0.25, BOTH_TOKENS)
    assert limiter.admit(bulkhead, "a", "x", NO_TOKEN) == Wait(0.5, BOTH_TOKENS)
    assert limiter.admit(bulkhead, "a", "x", NO_TOKEN) == Wait(0.75, ACCOUNT_TOKEN)  # the queue is full
    clock.at += 0.25
    assert limiter.admit(bulkhead, "a", "x", BOTH_TOKENS) is None


@pytest.mark.parametrize("outcome", ["bad_credential", "expired"])
def test_a_refused_login_is_not_due(outcome: str) -> None:
    assert next_login(outcome, 0, now=NOW, interval=DAY, credential_id=UUID(int=1)) is None


@given(st.uuids(), st.integers(1, 10_000), st.sampled_from([None, 0, 7200]))
def test_an_unreachable_registry_is_due_before_the_interval_ends(
    credential: UUID, failures: int, retry_after: int | None
) -> None:
    due = next_login(
        "unreachable", failures, now=NOW, interval=DAY, credential_id=credential, retry_after=retry_after
    )
    assert due is not None
    assert max(timedelta(minutes=4.5), timedelta(seconds=retry_after or 0)) <= due - NOW <= DAY * 1.1


@pytest.mark.parametrize(
    ("outcome", "times", "retry_after", "seconds"),
    [
        ("bad_credential", 1, None, 1),
        ("bad_credential", 4, None, 8),
        ("expired", 1000, None, 3600),
        ("rate_limited", 1, None, 60),
        ("rate_limited", 1, 900, 900),
        ("rate_limited", 3, 10, 240),
        ("rate_limited", 1000, 10**9, 86400),
        ("verified", 1, None, None),
        ("unreachable", 1, 60, None),
        ("forbidden", 5, None, None),
    ],
)
def test_a_failed_login_delays_the_username(
    outcome: str, times: int, retry_after: int | None, seconds: int | None
) -> None:
    held = hold_after(outcome, times, retry_after)
    assert held == (None if seconds is None else timedelta(seconds=seconds))


def test_the_wait_list_is_limited_per_host_and_in_time() -> None:
    def claimed(host: str, number: int, at: datetime = NOW) -> Claimed:
        due = Due(
            credential_id=UUID(int=number),
            account_id="acme",
            provider="custom",
            registry_host=host,
            username="octo",
            secret_version=1,
            stage=0,
            outcome=None,
            recorded_at=None,
            failures=0,
            additional_hosts=[],
        )
        return Claimed(due, at)

    many, one, late = [claimed("a", n) for n in range(10)], claimed("b", 11), claimed("c", 12, NOW - LONGEST)
    waiting, others = partition([*many, one, late], NOW)
    assert (waiting, others) == ([*many[:PER_HOST], one], [*many[PER_HOST:], late])
