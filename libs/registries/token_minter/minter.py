"""The minter: it creates logins from stored secrets, and caches them.

A login is returned from the cache during the first half of its lifetime, so that callers can use it for at
least the other half. The cache is in memory only. Concurrent callers with the same key wait for one call of
the cloud. While a cloud does not respond, logins in the cache are returned, and few threads wait for others.
"""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from uuid import UUID

from chassis.runtime.guarded_dependency import GuardedDependency, NotAdmitted
from contracts.verdicts import VerificationCode
from registries.catalogue import PROVIDERS
from registries.logins.cloud_keys import StoredLogin
from registries.logins.registry_login import RegistryLogin
from registries.provider import TokenMinter
from registries.token_minter.token_calls import TokenCalls
from registries.token_service import Minted, NotMinted

CAPACITY = 10_000
REFUSAL_LASTS = timedelta(minutes=1)  # a refusal is cached, so that retries do not reach the cloud
FAILURE_LASTS = timedelta(seconds=5)
WAITING_THREADS = 6  # for one cloud at the same time
_SLOT_SECONDS = 1.0
_SLOW_SECONDS = 5.0  # half of the deadline of a call; refusals of single keys are faster

Now = Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """The operator's private endpoints, which are used in place of the public ones of the clouds."""

    amazon: str | None = None
    google: str | None = None
    azure: str | None = None

    def of(self, cloud: str) -> str | None:
        """The operator's endpoint for a cloud; `None` if the public one is used."""
        endpoint: str | None = getattr(self, cloud, None)
        return endpoint


@dataclass(frozen=True, slots=True)
class MintKey:
    """The key of a login in the cache."""

    credential_id: UUID
    secret_version: int
    registry_host: str


@dataclass(frozen=True, slots=True)
class _Entry:
    future: Future[Minted]
    until: datetime | None  # `None` while the login is being created


class Minter:
    """Creates logins from cloud keys. Other stored logins are returned unchanged."""

    def __init__(
        self, calls: TokenCalls, endpoints: Endpoints, *, now: Now, capacity: int = CAPACITY
    ) -> None:
        self._calls = calls
        self._endpoints = endpoints
        self._now = now
        self._capacity = capacity
        self._lock = Lock()
        self._entries: dict[MintKey, _Entry] = {}
        self._guards = {
            cloud: GuardedDependency(
                slots=WAITING_THREADS, slot_seconds=_SLOT_SECONDS, slow_seconds=_SLOW_SECONDS
            )
            for cloud in sorted({entry.minter.cloud for entry in PROVIDERS if entry.minter is not None})
        }

    def fresh(self, stored: StoredLogin, *, registry_host: str, short_lived: bool = False) -> Minted:
        """A new login, not from the cache.

        With `short_lived` a login is also created from a Google key file, although the file can be used as a
        login itself.

        Raises:
            NotMinted: the cloud created no login.
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
        """A login that is valid for at least half of its lifetime, new or from the cache.

        Raises:
            NotMinted: the cloud created no login. This result is cached, too: a refusal for a minute.
        """
        minter = _minter_for(stored, short_lived=short_lived)
        if minter is None:
            return self.fresh(stored, registry_host=registry_host)
        try:
            cached = self._finished(key)
            if cached is not None:
                return cached.result()
            with self._guards[minter.cloud].call():
                entry, is_new = self._entry(key)
                if is_new:
                    self._fill(key, entry, stored, registry_host, short_lived=short_lived)
                return entry.future.result()
        except NotAdmitted as refused:
            detail = f"the token service of {minter.cloud} does not respond"
            raise NotMinted(VerificationCode.UNREACHABLE, detail, retry_after=refused.retry_after) from None
        except NotMinted as failure:  # a copy: many threads may raise it
            raise NotMinted(failure.code, failure.detail, retry_after=failure.retry_after) from None

    def _finished(self, key: MintKey) -> Future[Minted] | None:
        """The login in the cache, or the failure; `None` if there is none that is current."""
        with self._lock:
            entry = self._entries.get(key)
        return entry.future if entry and entry.until is not None and self._now() < entry.until else None

    def _entry(self, key: MintKey) -> tuple[_Entry, bool]:
        """The entry to wait for, and whether the caller has to fill it."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None and (entry.until is None or self._now() < entry.until):
                return entry, False
            self._entries.pop(key, None)  # the new entry moves to the end, because the first ones are evicted
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
    """The minter for a stored secret; `None` if the secret is used as a login unchanged."""
    minters = (entry.minter for entry in PROVIDERS if entry.minter is not None)
    return next((minter for minter in minters if minter.accepts(stored, short_lived=short_lived)), None)
