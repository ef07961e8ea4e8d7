"""Which hosts answer, as the logins of this process have found it: a circuit breaker for each host."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from threading import Lock

ANSWERS_SECONDS = 3600.0  # so long an answer tells that the host is there
ALONE_SECONDS = 300.0  # so long a host that gave no answer is left alone by the schedule
_FORGOTTEN_SECONDS = 86_400.0
_SWEEP_AT = 10_000  # hosts; what is old says nothing any more


class Standing(Enum):
    """`SUSPECT`: the last login got no answer, however long ago; until one does."""

    ANSWERS = auto()
    UNTRIED = auto()
    SUSPECT = auto()


@dataclass(frozen=True, slots=True)
class _Seen:
    answered: bool
    at: float

    def tells(self, now: float) -> bool:
        return now - self.at < (ANSWERS_SECONDS if self.answered else _FORGOTTEN_SECONDS)


class Standings:
    """`monotonic` gives seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._seen: dict[str, _Seen] = {}
        self._lock = Lock()

    def note(self, host: str, *, answered: bool) -> None:
        """A login there is over."""
        now = self._monotonic()
        with self._lock:
            if len(self._seen) >= _SWEEP_AT:
                self._seen = {other: seen for other, seen in self._seen.items() if seen.tells(now)}
            self._seen[host] = _Seen(answered, now)

    def of(self, host: str) -> Standing:
        seen = self._seen.get(host)
        if seen is None or not seen.tells(self._monotonic()):
            return Standing.UNTRIED
        return Standing.ANSWERS if seen.answered else Standing.SUSPECT

    def alone_for(self, host: str) -> float:
        """Seconds for which nobody has to try a host again, 0.0 for none."""
        seen = self._seen.get(host)
        if seen is None or seen.answered:
            return 0.0
        return max(0.0, seen.at + ALONE_SECONDS - self._monotonic())
