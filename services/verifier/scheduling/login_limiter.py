"""Who may log in now: so many at a time of one host and of one account, so many a second, and what answers
nothing gets a small share only, so that it takes the time of nobody else.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from threading import Lock

from verifier.scheduling.circuit_breaker import Standing, Standings
from verifier.scheduling.token_bucket import Pace

LANE_SECONDS = 0.5  # after which it is worth asking again where all lanes are taken, at the earliest
LANE_TURNS = 8.0  # a second, of a host whose lanes are taken: who asks again does so one after the other
BURST_SECONDS = 4.0  # a bucket holds what comes in these
NOTHING, ACCOUNT_TURN, BOTH_TURNS = 0, 1, 2  # stages: which turns of the paces have been waited for

Monotonic = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now, but after so many seconds. `stage` is to be shown then."""

    seconds: float
    stage: int


class Lanes:
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

    def enter(self, host: str, account_id: str, standing: Standing) -> bool:
        """Take one, if there is one."""
        with self._lock:
            if not self.free(host, account_id, standing):
                return False
            self._hosts[host] += 1
            self._accounts[account_id] += 1
            if standing is Standing.SUSPECT:
                self._suspected[host] += 1
            return True

    def free(self, host: str, account_id: str, standing: Standing) -> bool:
        """Whether there is one to take."""
        suspect = standing is Standing.SUSPECT
        per_host = self._per_host if standing is Standing.ANSWERS else self._untried
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


class Gate:
    """What all logins of this process have in common: the paces, and which hosts answer."""

    def __init__(self, *, per_host: float, per_account: float, monotonic: Monotonic) -> None:
        self._hosts = Pace(per_host, _burst(per_host), monotonic=monotonic)
        self._accounts = Pace(per_account, _burst(per_account), monotonic=monotonic)
        self._lane_turns = Pace(LANE_TURNS, 1, monotonic=monotonic)
        self._standings = Standings(monotonic)

    def admit(
        self, lanes: Lanes, host: str, account_id: str, stage: int, *, patience: float = inf
    ) -> Wait | None:
        """`None`: go on, and `leave` afterwards. A turn of the host is only taken when that of the account
        has come: who asks for much at once waits behind himself, and not before others. No turn is taken that
        is more than `patience` seconds away.
        """
        if not lanes.enter(host, account_id, self._standings.of(host)):
            return self.no_lane(host, stage, patience=patience)
        for pace, key, reached in (
            (self._accounts, account_id, ACCOUNT_TURN),
            (self._hosts, host, BOTH_TURNS),
        ):
            if stage < reached and (seconds := pace.reserve(key, patience)):
                lanes.leave(host, account_id)
                return Wait(seconds, reached)
        return None

    def no_lane(self, host: str, stage: int, *, patience: float = inf) -> Wait:
        """When to ask again for a host whose lanes are taken."""
        return Wait(LANE_SECONDS + self._lane_turns.reserve(host, patience), stage)

    def leave(self, lanes: Lanes, host: str, account_id: str, *, answered: bool | None) -> None:
        """The login is over. Whether the host answered; `None` where it was not asked."""
        lanes.leave(host, account_id)
        if answered is not None:
            self._standings.note(host, answered=answered)

    def lane_free(self, lanes: Lanes, host: str, account_id: str) -> bool:
        """Whether `admit` would find a lane."""
        return lanes.free(host, account_id, self._standings.of(host))

    def alone_for(self, host: str) -> float:
        """Seconds for which a host is left alone that gave no answer, 0.0 for none."""
        return self._standings.alone_for(host)


def _burst(per_second: float) -> int:
    return max(1, round(per_second * BURST_SECONDS))
