"""Slots that accounts share, so that few accounts cannot have all of them."""

from collections import Counter


class AccountShares:
    """Counts the slots of each account. Callers hold a lock of their own.

    There are `total` slots, of which an account gets at most `per_account`. The last `reserved` slots are for
    accounts that have none.
    """

    def __init__(self, *, total: int, per_account: int, reserved: int) -> None:
        self._total = total
        self._per_account = per_account
        self._reserved = reserved
        self._in_use: Counter[str] = Counter()

    def has_room(self, account_id: str, *, total: int | None = None, may_use_reserve: bool = True) -> bool:
        """Whether the account gets another slot. `total`: only so many slots are used at this time."""
        own = self._in_use.get(account_id, 0)
        reserved = 0 if own == 0 and may_use_reserve else self._reserved
        limit = min(self._total - reserved, self._total if total is None else total)
        return own < self._per_account and self._in_use.total() < limit

    def add(self, account_id: str) -> None:
        self._in_use[account_id] += 1

    def remove(self, account_id: str) -> None:
        self._in_use[account_id] -= 1
        if not self._in_use[account_id]:
            del self._in_use[account_id]

    def __bool__(self) -> bool:
        return bool(self._in_use)
