"""Who may log in now: so many at a time of one host and of one account, so many a second, and what answers
nothing gets a small share only, so that it takes the time of nobody else.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from threading import Lock

from verifier.schedule.circuit_breaker import CircuitBreakers, CircuitState
from verifier.schedule.token_bucket import TokenBucket

SLOT_SECONDS = 0.5  # after which it is worth asking again where all slots are taken, at the earliest
SLOT_RETRIES = 8.0  # a second, of a host whose slots are taken: who asks again does so one after the other
BURST_SECONDS = 4.0  # a bucket holds what comes in these
NO_TOKEN, ACCOUNT_TOKEN, BOTH_TOKENS = 0, 1, 2  # stages: which tokens have been waited for

Monotonic = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now, but after so many seconds. `stage` is to be shown then."""

    seconds: float
    stage: int


class Bulkhead:
    """`total` logins at a time. An account gets half of them, a host a quarter (or `per_host`). A host that
    has not answered lately gets `untried` until it does: if it is dead, it holds no more of them in vain.
    All suspects together get a quarter.
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
        """Take one, if there is one."""
        with self._lock:
            if not self.has_slot(host, account_id, state):
                return False
            self._hosts[host] += 1
            self._accounts[account_id] += 1
            if state is CircuitState.SUSPECT:
                self._suspected[host] += 1
            return True

    def has_slot(self, host: str, account_id: str, state: CircuitState) -> bool:
        """Whether there is one to take."""
        suspect = state is CircuitState.SUSPECT
        per_host = self._per_host if state is CircuitState.RESPONDING else self._untried
        return (
            self._hosts[host] < per_host
            and self._accounts[account_id] < self._per_account
            and (not suspect or self._suspected.total() < self._suspects)
        )

    def leave(self, host: str, account_id: str) -> None:
        """Give it back."""
        with self._lock:
            for counter, key in ((self._hosts, host), (self._accounts, account_id), (self._suspected, host)):
                if counter[key] > 1:
                    counter[key] -= 1
                else:
                    del counter[key]


class LoginLimiter:
    """What all logins of this process have in common: the token buckets, and which hosts answer."""

    def __init__(self, *, per_host: float, per_account: float, monotonic: Monotonic) -> None:
        self._hosts = TokenBucket(per_host, _burst(per_host), monotonic=monotonic)
        self._accounts = TokenBucket(per_account, _burst(per_account), monotonic=monotonic)
        self._slot_retries = TokenBucket(SLOT_RETRIES, 1, monotonic=monotonic)
        self._breakers = CircuitBreakers(monotonic)

    def admit(
        self, bulkhead: Bulkhead, host: str, account_id: str, stage: int, *, patience: float = inf
    ) -> Wait | None:
        """`None`: admitted; `leave` afterwards. A token of the host is only taken after one of the
        account: an account that asks for much waits for itself and delays no other. No token is reserved that
        is more than `patience` seconds away.
        """
        if not bulkhead.enter(host, account_id, self._breakers.state(host)):
            return self.no_slot(host, stage, patience=patience)
        for bucket, key, reached in (
            (self._accounts, account_id, ACCOUNT_TOKEN),
            (self._hosts, host, BOTH_TOKENS),
        ):
            if stage < reached and (seconds := bucket.reserve(key, patience)):
                bulkhead.leave(host, account_id)
                return Wait(seconds, reached)
        return None

    def no_slot(self, host: str, stage: int, *, patience: float = inf) -> Wait:
        """When to ask again for a host whose slots are taken."""
        return Wait(SLOT_SECONDS + self._slot_retries.reserve(host, patience), stage)

    def leave(self, bulkhead: Bulkhead, host: str, account_id: str, *, answered: bool | None) -> None:
        """The login is over. Whether the host answered; `None` where it was not asked."""
        bulkhead.leave(host, account_id)
        if answered is not None:
            self._breakers.record(host, answered=answered)

    def slot_free(self, bulkhead: Bulkhead, host: str, account_id: str) -> bool:
        """Whether `admit` would find a slot."""
        return bulkhead.has_slot(host, account_id, self._breakers.state(host))

    def open_for(self, host: str) -> float:
        """Seconds for which the schedule does not try a host that gave no answer, 0.0 for none."""
        return self._breakers.open_for(host)


def _burst(per_second: float) -> int:
    return max(1, round(per_second * BURST_SECONDS))
