"""A circuit breaker for each registry host, fed by the logins of this process."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from math import inf
from threading import Lock

RESPONDING_SECONDS = 3600.0  # a host counts as responding for this time after a response
OPEN_SECONDS = 300.0  # the schedule does not try a host for this time after a login without response
_SUSPECT_SECONDS = 86_400.0  # a host counts as suspect for this time after a login without response
_ACCOUNTS_OF_EVIDENCE = 2
_MAX_ACCOUNTS = 100  # of one host; the oldest failures are dropped
_MAX_HOSTS = 10_000  # those without a login for the longest time are dropped


class CircuitState(Enum):
    """What logins at a host showed. `SUSPECT`: they got no response. `UNTRIED`: nothing current."""

    RESPONDING = auto()
    UNTRIED = auto()
    SUSPECT = auto()


@dataclass(slots=True)
class _Host:
    responded_at: float = -inf
    failed: dict[str, float] = field(default_factory=dict)  # by account: its last login without response


class CircuitBreakers:
    """The circuit breakers of all hosts. `monotonic` is a clock in seconds.

    A login without response opens the circuit for its account only, because the cause may be the login. Those
    of two accounts open it for all accounts. A response to anyone closes it.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._hosts: dict[str, _Host] = {}
        self._lock = Lock()

    def record(self, host: str, account_id: str, *, responded: bool) -> None:
        """Record whether the host responded to a login of the account."""
        now = self._monotonic()
        with self._lock:
            known = self._hosts.pop(host, None)
            found = self._hosts[host] = _Host(responded_at=now) if responded else known or _Host()
            if len(self._hosts) > _MAX_HOSTS:
                del self._hosts[next(iter(self._hosts))]
            if not responded:
                found.failed.pop(account_id, None)
                found.failed[account_id] = now
                if len(found.failed) > _MAX_ACCOUNTS:
                    del found.failed[next(iter(found.failed))]

    def state(self, host: str, account_id: str) -> CircuitState:
        """What logins at the host showed to this account."""
        now = self._monotonic()
        with self._lock:
            found = self._hosts.get(host, _Host())
            last = _last_failure(found, account_id)
            if last is not None and now - last < _SUSPECT_SECONDS:
                return CircuitState.SUSPECT
            responding = now - found.responded_at < RESPONDING_SECONDS
            return CircuitState.RESPONDING if responding else CircuitState.UNTRIED

    def open_for(self, host: str, account_id: str | None) -> float:
        """Seconds until the schedule may try the host again, 0.0 if it may now. `None`: for all accounts."""
        with self._lock:
            last = _last_failure(self._hosts.get(host, _Host()), account_id)
        return 0.0 if last is None else max(0.0, last + OPEN_SECONDS - self._monotonic())


def _last_failure(host: _Host, account_id: str | None) -> float | None:
    """The last login without response that counts for the account."""
    if len(host.failed) >= _ACCOUNTS_OF_EVIDENCE:
        return max(host.failed.values())
    return None if account_id is None else host.failed.get(account_id)
