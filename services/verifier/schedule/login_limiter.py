"""Limits for logins: how many run at once and how many begin in a second, per host and per account.

Hosts that do not respond get a small share of the slots, so that they do not delay logins at other hosts.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from operator import attrgetter
from threading import Lock

from chassis.runtime.account_shares import AccountShares
from verifier.schedule.circuit_breaker import CircuitBreakers, CircuitState
from verifier.schedule.token_bucket import TokenBucket

SLOT_SECONDS = 0.5  # shortest wait for a slot
SLOT_RETRIES = 8.0  # retries per second of an account at a host: its waiting logins retry one by one
QUEUE_SECONDS = 0.5  # longest queue at a host; twice as long for an account without a login there in a second
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

    An account gets at most a quarter of them, a host a quarter (or `per_host`), and an account at most half
    of those of a host (or two). A host that is not known to respond gets at most `untried` slots. All suspect
    hosts together get a quarter. The last quarter of all these slots is for accounts that have none. Of all
    slots, it is for the first logins of secrets only (`first`).
    """

    def __init__(self, total: int, *, per_host: int | None = None, untried: int = 1) -> None:
        self._per_host = per_host or max(1, total // 4)
        self._untried = min(untried, self._per_host)
        self._all = _shares(total, total // 4)
        self._suspects = _shares(max(1, total // 4), max(1, total // 4) // 2)
        self._hosts: dict[str, AccountShares] = {}
        self._suspected: Counter[tuple[str, str]] = Counter()
        self._lock = Lock()

    def enter(self, host: str, account_id: str, state: CircuitState, *, first: bool = True) -> bool:
        """Reserve a slot; `False` if there is none."""
        with self._lock:
            if not self.has_slot(host, account_id, state, first=first):
                return False
            self._all.add(account_id)
            self._hosts.setdefault(host, self._new_host()).add(account_id)
            if state is CircuitState.SUSPECT:
                self._suspects.add(account_id)
                self._suspected[host, account_id] += 1
            return True

    def has_slot(self, host: str, account_id: str, state: CircuitState, *, first: bool = True) -> bool:
        """Whether a slot is free."""
        per_host = self._per_host if state is CircuitState.RESPONDING else self._untried
        return (
            self._hosts.get(host, self._new_host()).has_room(account_id, total=per_host)
            and self._all.has_room(account_id, may_use_reserve=first)
            and (state is not CircuitState.SUSPECT or self._suspects.has_room(account_id))
        )

    def leave(self, host: str, account_id: str) -> None:
        """Return the slot."""
        with self._lock:
            self._all.remove(account_id)
            self._hosts[host].remove(account_id)
            if not self._hosts[host]:
                del self._hosts[host]
            if self._suspected[host, account_id]:
                self._suspected[host, account_id] -= 1
                self._suspects.remove(account_id)
            if not self._suspected[host, account_id]:
                del self._suspected[host, account_id]

    def _new_host(self) -> AccountShares:
        return _shares(self._per_host, max(2, self._per_host // 2))


class LoginLimiter:
    """The token buckets and circuit breakers that all logins of this process share."""

    def __init__(self, *, per_host: float, per_account: float, monotonic: Monotonic) -> None:
        self._hosts = TokenBucket(per_host, _burst(per_host), monotonic=monotonic)
        self._accounts = TokenBucket(per_account, _burst(per_account), monotonic=monotonic)
        self._slot_retries = TokenBucket(SLOT_RETRIES, 1, monotonic=monotonic)
        self._newcomers = TokenBucket(1, 1, monotonic=monotonic)
        self._breakers = CircuitBreakers(monotonic)

    def admit(
        self,
        bulkhead: Bulkhead,
        host: str,
        account_id: str,
        stage: int,
        *,
        first: bool = True,
        max_wait: float = inf,
        also: Sequence[str] = (),
    ) -> Wait | None:
        """Admit a login, or return how long it has to wait. After an admitted login the caller calls `leave`.

        `first`: the first login of a secret. A login reserves a token of its account before one of the host.
        So an account with many logins waits for its own tokens. The queue at the host is short: an account
        that uses the host little does not wait behind many logins of others. A token that is free only after
        more than `max_wait` seconds is not reserved. `also`: further hosts of the same login, which reserves
        a token of each. It has the slot of the first one.
        """
        if not bulkhead.enter(host, account_id, self._breakers.state(host, account_id), first=first):
            return self.no_slot(host, account_id, stage, max_wait=max_wait)
        wait = None
        if stage < ACCOUNT_TOKEN and (seconds := self._accounts.reserve(account_id, max_wait)):
            wait = Wait(seconds, ACCOUNT_TOKEN)
        elif stage < BOTH_TOKENS:
            waits = [self._host_token(one, account_id, max_wait) for one in (host, *also)]
            longest = max((one for one in waits if one), key=attrgetter("seconds"), default=None)
            stage = min((one.stage for one in waits if one), default=stage)
            wait = longest and Wait(longest.seconds, stage)
        if wait:
            bulkhead.leave(host, account_id)
        return wait

    def _host_token(self, host: str, account_id: str, max_wait: float) -> Wait | None:
        is_newcomer = not self._newcomers.reserve(_pair(host, account_id), 0)
        queue = min(max_wait, QUEUE_SECONDS * (2 if is_newcomer else 1))
        seconds = self._hosts.reserve(host, queue)
        if seconds > queue:
            retry = self._slot_retries.reserve(_pair(host, account_id), max_wait)
            return Wait(seconds + retry, ACCOUNT_TOKEN)
        return Wait(seconds, BOTH_TOKENS) if seconds else None

    def no_slot(self, host: str, account_id: str, stage: int, *, max_wait: float = inf) -> Wait:
        """How long to wait for a host whose slots are taken."""
        return Wait(SLOT_SECONDS + self._slot_retries.reserve(_pair(host, account_id), max_wait), stage)

    def leave(self, bulkhead: Bulkhead, host: str, account_id: str, *, responded: bool | None) -> None:
        """Return the slot. `responded`: whether the host responded; `None` if there was no attempt."""
        bulkhead.leave(host, account_id)
        if responded is not None:
            self.record(host, account_id, responded=responded)

    def record(self, host: str, account_id: str, *, responded: bool) -> None:
        """Record whether a host responded."""
        self._breakers.record(host, account_id, responded=responded)

    def slot_free(self, bulkhead: Bulkhead, host: str, account_id: str) -> bool:
        """Whether `admit` would find a slot for a scheduled login."""
        return bulkhead.has_slot(host, account_id, self._breakers.state(host, account_id), first=False)

    def open_for(self, host: str, account_id: str | None = None) -> float:
        """Seconds until the schedule may try the host again, 0.0 if it may now.

        Without an account: for all accounts.
        """
        return self._breakers.open_for(host, account_id)


def _shares(total: int, per_account: int) -> AccountShares:
    return AccountShares(total=total, per_account=max(1, per_account), reserved=total // 4)


def _pair(host: str, account_id: str) -> str:
    return f"{host} {account_id}"


def _burst(per_second: float) -> int:
    return max(1, round(per_second * BURST_SECONDS))
