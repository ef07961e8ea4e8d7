"""The keys that encrypt personal data: one for each account, created at its first event (ADR 14).

`personal.keys` stores each key wrapped. A reader gets the wrapped key with each row, so an erased key
decrypts nothing from the next statement on. A writer caches keys for `LIFE_SECONDS`. An event that it
encrypts with an erased key within that time cannot be decrypted.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, Generic, Protocol, TypeVar

import psycopg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from psycopg_pool import ConnectionPool

from eventlog.events.envelope import Cipher
from eventlog.events.errors import PersonalKeyMissing
from eventlog.events.personal import AccountKey

LIFE_SECONDS = 60.0
MAX_CACHED = 10_000  # in each cache; about 5 MB
KEY_BYTES = 32

_KEY = "SELECT number, wrapped FROM personal.key(%s, %s)"
_Value = TypeVar("_Value")


class KeyUnreadable(Exception):
    """A wrapped key of an account cannot be unwrapped."""


class KeyMissing(KeyUnreadable):
    """The key that unwraps it is not in the key file of this process."""


class _NoCipher:
    """The cipher for events of an unreadable key: it decrypts nothing."""

    def __init__(self, error: type[Exception]) -> None:
        self._error = error

    def encrypt(self, _nonce: bytes, _data: bytes, _associated_data: bytes, /) -> bytes:
        raise self._error

    def decrypt(self, _nonce: bytes, _data: bytes, _associated_data: bytes, /) -> bytes:
        raise self._error


class KeyWrapping(Protocol):
    """Encrypts keys of accounts with a key of the installation.

    A key that was wrapped for one account cannot be unwrapped for another account.
    """

    def wrap(self, account_id: str, key: bytes) -> bytes: ...

    def unwrap(self, account_id: str, wrapped: bytes) -> bytes:
        """Unwrap a key.

        Raises:
            KeyMissing: a key of the installation with that name is missing.
            KeyUnreadable: it is another one, or the wrapped key was changed.
        """


class PersonalKeys:
    """Creates, unwraps and caches keys of accounts. Thread-safe."""

    def __init__(
        self, wrapping: KeyWrapping, *, monotonic: Callable[[], float], random_bytes: Callable[[int], bytes]
    ) -> None:
        self._wrapping = wrapping
        self._random_bytes = random_bytes
        self._ciphers = _Cache[bytes, Cipher](monotonic)
        self._current = _Cache[str, AccountKey](monotonic)

    def cipher(self, account_id: str, wrapped: bytes | None) -> Cipher | None:
        """The cipher for an event that was read with this wrapped key. `None` if there is no key.

        With an unreadable key only its own events cannot be decrypted: any service that writes events can
        store such a key. A process does not start with the key file of another installation.
        """
        if wrapped is None:
            return None
        found = self._ciphers.get(wrapped)
        if found is None:
            try:
                found = AESGCMSIV(self._wrapping.unwrap(account_id, wrapped))
            except KeyMissing:
                found = _NoCipher(PersonalKeyMissing)
            except KeyUnreadable:
                found = _NoCipher(InvalidTag)
            self._ciphers.store(wrapped, found)
        return found

    def current(self, pool: ConnectionPool[psycopg.Connection[Any]], account_id: str) -> AccountKey:
        """The key that encrypts new events of an account.

        It is created if there is none. Two concurrent calls get the same key. Call it within `store_errors`.

        Raises:
            PersonalKeyMissing: it was wrapped with a key that the key file of this process does not have.
        """
        known = self._current.get(account_id)
        if known is not None:
            return known
        offered = self._wrapping.wrap(account_id, self._random_bytes(KEY_BYTES))
        with pool.connection() as connection:
            number, wrapped = connection.execute(_KEY, (account_id, offered)).fetchone() or (0, offered)
        try:
            key = AESGCMSIV(self._wrapping.unwrap(account_id, wrapped))
        except KeyMissing:
            raise PersonalKeyMissing from None
        return self._current.store(account_id, AccountKey(number, key))

    def renew(self, account_id: str) -> None:
        """Read the key of an account again at its next event, because the cached key was erased."""
        self._current.drop(account_id)


_Name = TypeVar("_Name", bound=Hashable)


class _Cache(Generic[_Name, _Value]):
    """The latest `MAX_CACHED` values, each for `LIFE_SECONDS`."""

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
                if until > now and len(self._values) <= MAX_CACHED:
                    break
                del self._values[oldest]
        return value

    def drop(self, name: _Name) -> None:
        with self._lock:
            self._values.pop(name, None)
