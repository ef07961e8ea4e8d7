"""Limits on requests that take long, at the same time, per process and per account."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock

from chassis.runtime.turns import out_of_turn

PROCESS_SLOTS = 16  # of all kinds together; the other threads of the HTTP server serve short requests

_process = BoundedSemaphore(PROCESS_SLOTS)


class TooManyAtOnce(Exception):
    """All slots are taken. `retry_after` is an estimate of the wait in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("too many requests of this kind at the same time")
        self.retry_after = retry_after


class Slots:
    """`total` slots of one kind in this process, of which one account gets at most `per_account`.

    Each occupies one of the `PROCESS_SLOTS` while it is held. Callers do not wait for a slot. Who holds one
    mostly waits, so its request takes no turn.

    The last `reserved` slots are for accounts that hold none, so that few accounts cannot hold all.
    """

    def __init__(self, *, total: int, per_account: int, retry_after: int, reserved: int = 0) -> None:
        self._total = total
        self._reserved = reserved
        self._per_account = per_account
        self._retry_after = retry_after
        self._in_use: Counter[str] = Counter()
        self._lock = Lock()

    @contextmanager
    def one(self, account_id: str) -> Iterator[None]:
        """Hold a slot while the block runs.

        Raises:
            TooManyAtOnce: no slot is free.
        """
        with self._lock:
            held = self._in_use.get(account_id, 0)
            free = self._total - self._in_use.total() - (self._reserved if held else 0)
            if free <= 0 or held >= self._per_account:
                raise TooManyAtOnce(self._retry_after)
            if not _process.acquire(blocking=False):
                raise TooManyAtOnce(self._retry_after)
            self._in_use[account_id] += 1
        try:
            with out_of_turn():
                yield
        finally:
            _process.release()
            with self._lock:
                self._in_use[account_id] -= 1
                if not self._in_use[account_id]:
                    del self._in_use[account_id]
