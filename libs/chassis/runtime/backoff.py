"""How long to wait before the next attempt."""

_FIRST_SECONDS = 0.2


def backoff(attempt: int, *, longest: float, jitter: float = 1.0) -> float:
    """Seconds to wait after failure number `attempt` (from 0): they double up to `longest`. With `jitter` in
    [0, 1) it is between half of that and all of it, so that clients do not come back all at once.
    """
    whole: float = min(longest, _FIRST_SECONDS * 2 ** min(attempt, 10))
    return whole * (0.5 + jitter / 2)
