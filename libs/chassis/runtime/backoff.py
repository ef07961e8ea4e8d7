"""Exponential backoff."""

_FIRST_SECONDS = 0.2


def backoff(attempt: int, *, longest: float, jitter: float = 1.0) -> float:
    """The delay in seconds after failure number `attempt` (from 0).

    The delay doubles with each failure, up to `longest`.

    With a random `jitter` in [0, 1) it is between half of the delay and the full delay, so that clients do
    not retry at the same time.
    """
    delay: float = min(longest, _FIRST_SECONDS * 2 ** min(attempt, 10))
    return delay * (0.5 + jitter / 2)
