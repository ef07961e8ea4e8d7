"""The keys that personal data is sealed with: one for each account, made at its first event (ADR 14).

A key is kept wrapped in `personal.keys`. Whoever reads events is given it with each row, so that an erased
one opens nothing from the next statement on. Whoever writes keeps it for `LIFE_SECONDS`: what is sealed with
an erased key within that time cannot be read at all.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, Generic, Protocol, TypeVar

import psycopg
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from psycopg_pool import ConnectionPool

from eventlog.events.envelope import Cipher
from eventlog.events.personal import AccountKey

LIFE_SECONDS = 60.0
MAX_KEPT = 10_000  # of each sort; about 5 MB
KEY_BYTES = 32

_KEY = "SELECT number, wrapped FROM personal.key(%s, %s)"
_Value = TypeVar("_Value")


class KeyWrapping(Protocol):
    """Keeps keys of accounts under a key of the installation. What is wrapped for one account does not
    unwrap for another one.
    """

    def wrap(self, account_id: str, key: bytes) -> bytes: ...

    def unwrap(self, account_id: str, wrapped: bytes) -> bytes:
        """Raises what its adapter documents, where the installation's key is missing or another one."""


class PersonalKeys:
    """Keys of accounts, unwrapped. Threads may share it."""

    def __init__(
        self, wrapping: KeyWrapping, *, monotonic: Callable[[], float], random_bytes: Callable[[int], bytes]
    ) -> None:
        self._wrapping = wrapping
        self._random_bytes = random_bytes
        self._ciphers = _Cache[bytes, Cipher](monotonic)
        self._current = _Cache[str, AccountKey](monotonic)

    def cipher(self, account_id: str, wrapped: bytes | None) -> Cipher | None:
        """What opens the account's events whose key a row of the log was read with; `None` without one."""
        if wrapped is None:
            return None
        return self._ciphers.get(wrapped) or self._ciphers.store(
            wrapped, AESGCMSIV(self._wrapping.unwrap(account_id, wrapped))
        )

    def current(self, pool: ConnectionPool[psycopg.Connection[Any]], account_id: str) -> AccountKey:
        """The key that the account's new events are sealed with, made if there is none; wrap it in
        `store_errors`. Of two at once one makes it, and both get that one.
        """
        known = self._current.get(account_id)
        if known is not None:
            return known
        offered = self._wrapping.wrap(account_id, self._random_bytes(KEY_BYTES))
        with pool.connection() as connection:
            number, wrapped = connection.execute(_KEY, (account_id, offered)).fetchone() or (0, offered)
        key = AESGCMSIV(self._wrapping.unwrap(account_id, wrapped))
        return self._current.store(account_id, AccountKey(number, key))

    def renew(self, account_id: str) -> None:
        """Ask for the account's key again at its next event: the one that was kept is erased."""
        self._current.drop(account_id)


_Name = TypeVar("_Name", bound=Hashable)


class _Cache(Generic[_Name, _Value]):
    """Up to `MAX_KEPT` values, the latest, each for `LIFE_SECONDS`."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._values: OrderedDict[_Name, tuple[float, _Value]] = OrderedDict()
        self._lock = Lock()

    def get(self, name: _Name) -> _Value | None:
        found = self._values.get(name)
        return found[1] if found and self._monotonic() < found[0] else None

    def store(self, name: _Name, value: _Value) -> _Value:
        now = self._monotonic()
        with self._lock:
            self._values.pop(name, None)
            self._values[name] = (now + LIFE_SECONDS, value)
            while self._values:
                oldest, (until, _) = next(iter(self._values.items()))
                if until > now and len(self._values) <= MAX_KEPT:
                    break
                del self._values[oldest]
        return value

    def drop(self, name: _Name) -> None:
        with self._lock:
            self._values.pop(name, None)
