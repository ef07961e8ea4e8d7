"""A circuit breaker for each host: which hosts respond, as the logins of this process have found."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from threading import Lock

RESPONDING_SECONDS = 3600.0  # so long an answer tells that the host is there
OPEN_SECONDS = 300.0  # so long a host that gave no answer is not tried by the schedule
_FORGOTTEN_SECONDS = 86_400.0
_SWEEP_AT = 10_000  # hosts; what is old says nothing any more


class CircuitState(Enum):
    """`SUSPECT`: the last login got no answer, however long ago; until one does."""

    RESPONDING = auto()
    UNTRIED = auto()
    SUSPECT = auto()


@dataclass(frozen=True, slots=True)
class _Seen:
    answered: bool
    at: float

    def is_current(self, now: float) -> bool:
        return now - self.at < (RESPONDING_SECONDS if self.answered else _FORGOTTEN_SECONDS)


class CircuitBreakers:
    """`monotonic` gives seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._seen: dict[str, _Seen] = {}
        self._lock = Lock()

    def record(self, host: str, *, answered: bool) -> None:
        """A login there is over."""
        now = self._monotonic()
        with self._lock:
            if len(self._seen) >= _SWEEP_AT:
                self._seen = {other: seen for other, seen in self._seen.items() if seen.is_current(now)}
            self._seen[host] = _Seen(answered, now)

    def state(self, host: str) -> CircuitState:
        seen = self._seen.get(host)
        if seen is None or not seen.is_current(self._monotonic()):
            return CircuitState.UNTRIED
        return CircuitState.RESPONDING if seen.answered else CircuitState.SUSPECT

    def open_for(self, host: str) -> float:
        """Seconds for which the schedule does not try the host again, 0.0 for none."""
        seen = self._seen.get(host)
        if seen is None or seen.answered:
            return 0.0
        return max(0.0, seen.at + OPEN_SECONDS - self._monotonic())
