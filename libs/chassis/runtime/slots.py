"""Limits on requests that take long, at the same time, per process and per account."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock

from chassis.runtime.account_shares import AccountShares
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
        self._shares = AccountShares(total=total, per_account=per_account, reserved=reserved)
        self._retry_after = retry_after
        self._lock = Lock()

    @contextmanager
    def one(self, account_id: str) -> Iterator[None]:
        """Hold a slot while the block runs.

        Raises:
            TooManyAtOnce: no slot is free.
        """
        with self._lock:
            if not self._shares.has_room(account_id) or not _process.acquire(blocking=False):
                raise TooManyAtOnce(self._retry_after)
            self._shares.add(account_id)
        try:
            with out_of_turn():
                yield
        finally:
            _process.release()
            with self._lock:
                self._shares.remove(account_id)
