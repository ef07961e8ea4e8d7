"""How many requests may wait for registries at a time: some of the process's threads, fewer per account."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock


class TooManyAtOnce(Exception):
    """All slots are taken; one is free within `retry_after` seconds, or so."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("too many requests wait for registries")
        self.retry_after = retry_after


class Slots:
    """`total` at a time in this process, `per_account` for one account. Nobody waits for a slot."""

    def __init__(self, *, total: int, per_account: int, retry_after: int) -> None:
        self._total = total
        self._per_account = per_account
        self._retry_after = retry_after
        self._in_use: Counter[str] = Counter()
        self._lock = Lock()

    @contextmanager
    def one(self, account_id: str) -> Iterator[None]:
        """A slot for as long as the block runs. Raises `TooManyAtOnce`."""
        with self._lock:
            if self._in_use.total() >= self._total or self._in_use[account_id] >= self._per_account:
                raise TooManyAtOnce(self._retry_after)
            self._in_use[account_id] += 1
        try:
            yield
        finally:
            with self._lock:
                self._in_use[account_id] -= 1
                if not self._in_use[account_id]:
                    del self._in_use[account_id]
