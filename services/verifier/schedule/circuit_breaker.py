"""A circuit breaker for each registry host, fed by the logins of this process."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from threading import Lock

RESPONDING_SECONDS = 3600.0  # a host counts as responding for this time after a response
OPEN_SECONDS = 300.0  # the schedule does not try a host for this time after a login without response
_SUSPECT_SECONDS = 86_400.0  # a host counts as suspect for this time after a login without response
_SWEEP_AT = 10_000  # hosts; above this number, results that are no longer current are deleted


class CircuitState(Enum):
    """What the last login at a host showed. `SUSPECT`: it got no response. `UNTRIED`: nothing current."""

    RESPONDING = auto()
    UNTRIED = auto()
    SUSPECT = auto()


@dataclass(frozen=True, slots=True)
class _LastLogin:
    responded: bool
    at: float

    def is_current(self, now: float) -> bool:
        return now - self.at < (RESPONDING_SECONDS if self.responded else _SUSPECT_SECONDS)


class CircuitBreakers:
    """The circuit breakers of all hosts. `monotonic` is a clock in seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._last: dict[str, _LastLogin] = {}
        self._lock = Lock()

    def record(self, host: str, *, responded: bool) -> None:
        """Record whether the host responded to a login."""
        now = self._monotonic()
        with self._lock:
            if len(self._last) >= _SWEEP_AT:
                self._last = {other: last for other, last in self._last.items() if last.is_current(now)}
            self._last[host] = _LastLogin(responded, now)

    def state(self, host: str) -> CircuitState:
        last = self._last.get(host)
        if last is None or not last.is_current(self._monotonic()):
            return CircuitState.UNTRIED
        return CircuitState.RESPONDING if last.responded else CircuitState.SUSPECT

    def open_for(self, host: str) -> float:
        """Seconds until the schedule may try the host again, 0.0 if it may now."""
        last = self._last.get(host)
        if last is None or last.responded:
            return 0.0
        return max(0.0, last.at + OPEN_SECONDS - self._monotonic())
