"""Which login is made of what is kept, and for how long it is kept in mind.

A made login is given out again for the first half of its life, so that who gets it has the other half. It
is in memory only. Whoever asks for one that is being made waits for it: the cloud is asked once.
"""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from uuid import UUID

from registries.catalogue import PROVIDERS
from registries.logins.cloud_keys import StoredLogin
from registries.logins.registry_login import RegistryLogin
from registries.provider import TokenMinter
from registries.token_minter.token_calls import TokenCalls
from registries.token_service import Minted, NotMinted

CAPACITY = 10_000
REFUSAL_LASTS = timedelta(minutes=1)  # so that a loop of requests is no loop of attempts
FAILURE_LASTS = timedelta(seconds=5)

Now = Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Where the operator has logins made, in place of the clouds' own addresses: private endpoints."""

    amazon: str | None = None
    google: str | None = None
    azure: str | None = None

    def of(self, cloud: str) -> str | None:
        """The operator's endpoint for a cloud; `None` if the cloud's own is used."""
        endpoint: str | None = getattr(self, cloud, None)
        return endpoint


@dataclass(frozen=True, slots=True)
class MintKey:
    """What a made login is remembered by."""

    credential_id: UUID
    secret_version: int


@dataclass(frozen=True, slots=True)
class _Entry:
    future: Future[Minted]
    until: datetime | None  # None: as long as it is being made


class Minter:
    """Makes logins; those that are kept as they are pass through it unchanged."""

    def __init__(
        self, calls: TokenCalls, endpoints: Endpoints, *, now: Now, capacity: int = CAPACITY
    ) -> None:
        self._calls = calls
        self._endpoints = endpoints
        self._now = now
        self._capacity = capacity
        self._lock = Lock()
        self._entries: dict[MintKey, _Entry] = {}

    def fresh(self, stored: StoredLogin, *, registry_host: str, short_lived: bool = False) -> Minted:
        """A login made now. `short_lived`: of a Google key file too, which is a login in itself.

        Raises:
            NotMinted
        """
        minter = _minter_for(stored, short_lived=short_lived)
        if minter is not None:
            endpoint = self._endpoints.of(minter.cloud)
            return minter.mint(stored, registry_host, calls=self._calls, at=self._now(), endpoint=endpoint)
        if not isinstance(stored, RegistryLogin):
            raise TypeError("no provider creates logins from this kind of secret")
        return Minted(login=stored, expires_at=None)

    def login(
        self, key: MintKey, stored: StoredLogin, *, registry_host: str, short_lived: bool = False
    ) -> Minted:
        """A login that is good for half of its life at least; made now, or remembered under `key`.

        Raises:
            NotMinted: a refusal is remembered too, for a minute.
        """
        if _minter_for(stored, short_lived=short_lived) is None:
            return self.fresh(stored, registry_host=registry_host)
        entry, is_new = self._entry(key)
        if is_new:
            self._fill(key, entry, stored, registry_host, short_lived=short_lived)
        try:
            return entry.future.result()
        except NotMinted as failure:  # a copy: many threads may raise it
            raise NotMinted(failure.code, failure.detail, retry_after=failure.retry_after) from None

    def _entry(self, key: MintKey) -> tuple[_Entry, bool]:
        """The entry to wait for, and whether the caller has to fill it."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None and (entry.until is None or self._now() < entry.until):
                return entry, False
            self._entries.pop(key, None)  # so that the new one is the youngest
            while len(self._entries) >= self._capacity:
                del self._entries[next(iter(self._entries))]
            entry = self._entries[key] = _Entry(Future(), None)
            return entry, True

    def _fill(
        self, key: MintKey, entry: _Entry, stored: StoredLogin, registry_host: str, *, short_lived: bool
    ) -> None:
        started = self._now()
        try:
            minted = self.fresh(stored, registry_host=registry_host, short_lived=short_lived)
            until = started + (minted.expires_at - started) / 2 if minted.expires_at else started
            entry.future.set_result(minted)
        except BaseException as error:
            until = started
            if isinstance(error, NotMinted):
                until += REFUSAL_LASTS if error.refused else FAILURE_LASTS
            entry.future.set_exception(error)
        with self._lock:
            if self._entries.get(key) is entry:
                self._entries[key] = _Entry(entry.future, until)


def _minter_for(stored: StoredLogin, *, short_lived: bool) -> TokenMinter | None:
    """The minter for a stored secret; `None` if it is a login as it is."""
    minters = (entry.minter for entry in PROVIDERS if entry.minter is not None)
    return next((minter for minter in minters if minter.accepts(stored, short_lived=short_lived)), None)
