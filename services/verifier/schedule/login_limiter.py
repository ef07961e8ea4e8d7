"""Limits for logins: how many run at once and how many begin in a second, per host and per account.

Hosts that do not respond get a small share of the slots, so that they do not delay logins at other hosts.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from threading import Lock

from verifier.schedule.circuit_breaker import CircuitBreakers, CircuitState
from verifier.schedule.token_bucket import TokenBucket

SLOT_SECONDS = 0.5  # shortest wait for a slot
SLOT_RETRIES = 8.0  # retries per second for the slots of one host, so that waiting logins retry one by one
BURST_SECONDS = 4.0  # a bucket holds the tokens of this many seconds
NO_TOKEN, ACCOUNT_TOKEN, BOTH_TOKENS = 0, 1, 2  # stages: which tokens a login has reserved already

Monotonic = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Wait:
    """The login has to wait. After `seconds` the caller calls `admit` again, with this `stage`."""

    seconds: float
    stage: int


class Bulkhead:
    """Slots for `total` concurrent logins.

    An account gets at most half of them, a host a quarter (or `per_host`). A host that is not known to
    respond gets at most `untried` slots. All suspect hosts together get a quarter.
    """

    def __init__(self, total: int, *, per_host: int | None = None, untried: int = 1) -> None:
        self._per_host = per_host or max(1, total // 4)
        self._untried = min(untried, self._per_host)
        self._per_account = max(1, total // 2)
        self._suspects = max(1, total // 4)
        self._hosts: Counter[str] = Counter()
        self._accounts: Counter[str] = Counter()
        self._suspected: Counter[str] = Counter()
        self._lock = Lock()

    def enter(self, host: str, account_id: str, state: CircuitState) -> bool:
        """Reserve a slot; `False` if there is none."""
        with self._lock:
            if not self.has_slot(host, account_id, state):
                return False
            self._hosts[host] += 1
            self._accounts[account_id] += 1
            if state is CircuitState.SUSPECT:
                self._suspected[host] += 1
            return True

    def has_slot(self, host: str, account_id: str, state: CircuitState) -> bool:
        """Whether a slot is free."""
        suspect = state is CircuitState.SUSPECT
        per_host = self._per_host if state is CircuitState.RESPONDING else self._untried
        return (
            self._hosts[host] < per_host
            and self._accounts[account_id] < self._per_account
            and (not suspect or self._suspected.total() < self._suspects)
        )

    def leave(self, host: str, account_id: str) -> None:
        """Return the slot."""
        with self._lock:
            for counter, key in ((self._hosts, host), (self._accounts, account_id), (self._suspected, host)):
                if counter[key] > 1:
                    counter[key] -= 1
                else:
                    del counter[key]


class LoginLimiter:
    """The token buckets and circuit breakers that all logins of this process share."""

    def __init__(self, *, per_host: float, per_account: float, monotonic: Monotonic) -> None:
        self._hosts = TokenBucket(per_host, _burst(per_host), monotonic=monotonic)
        self._accounts = TokenBucket(per_account, _burst(per_account), monotonic=monotonic)
        self._slot_retries = TokenBucket(SLOT_RETRIES, 1, monotonic=monotonic)
        self._breakers = CircuitBreakers(monotonic)

    def admit(
        self, bulkhead: Bulkhead, host: str, account_id: str, stage: int, *, max_wait: float = inf
    ) -> Wait | None:
        """Admit a login, or return how long it has to wait. After an admitted login the caller calls `leave`.

        A login reserves a token of its account before one of the host. So an account with many logins waits
        for its own tokens and does not delay others. A token that is free only after more than `max_wait`
        seconds is not reserved.
        """
        if not bulkhead.enter(host, account_id, self._breakers.state(host)):
            return self.no_slot(host, stage, max_wait=max_wait)
        for bucket, key, reached in (
            (self._accounts, account_id, ACCOUNT_TOKEN),
            (self._hosts, host, BOTH_TOKENS),
        ):
            if stage < reached and (seconds := bucket.reserve(key, max_wait)):
                bulkhead.leave(host, account_id)
                return Wait(seconds, reached)
        return None

    def no_slot(self, host: str, stage: int, *, max_wait: float = inf) -> Wait:
        """How long to wait for a host whose slots are taken."""
        return Wait(SLOT_SECONDS + self._slot_retries.reserve(host, max_wait), stage)

    def leave(self, bulkhead: Bulkhead, host: str, account_id: str, *, responded: bool | None) -> None:
        """Return the slot. `responded`: whether the host responded; `None` if there was no attempt."""
        bulkhead.leave(host, account_id)
        if responded is not None:
            self._breakers.record(host, responded=responded)

    def slot_free(self, bulkhead: Bulkhead, host: str, account_id: str) -> bool:
        """Whether `admit` would find a slot."""
        return bulkhead.has_slot(host, account_id, self._breakers.state(host))

    def open_for(self, host: str) -> float:
        """Seconds until the schedule may try the host again, 0.0 if it may now."""
        return self._breakers.open_for(host)


def _burst(per_second: float) -> int:
    return max(1, round(per_second * BURST_SECONDS))
