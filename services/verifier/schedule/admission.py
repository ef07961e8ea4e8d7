"""Logins that a request waits for, kept to what holds for all logins: token buckets, slots of the bulkhead,
and holds after a refusal. Without it a loop of requests would be a loop of attempts at somebody's registry.

A wait of a moment is made here. For a longer one the caller gets `retry_after`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil
from threading import Lock
from typing import Literal

from contracts.verdicts import VerificationCode
from verifier.schedule.backoff import REFUSED, clears_hold, hold_after
from verifier.schedule.login_limiter import NO_TOKEN, Bulkhead, LoginLimiter, Wait
from verifier.schedule.rows import hold_name
from verifier.schedule.table import ScheduleTable

PATIENCE_SECONDS = 2.0
_POLL_SECONDS = 0.05

Why = Literal["login_held_back", "too_many_logins"]


class NotNow(Exception):
    """The login is not tried; `retry_after` seconds later it may be. `login_held_back`: the registry refused
    this user a moment ago. `too_many_logins`: the limit of this registry, or of this account, is reached.
    """

    def __init__(self, why: Why, seconds: float) -> None:
        super().__init__(why)
        self.why = why
        self.retry_after = max(1, ceil(seconds))


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginIdentity:
    """As whom, and where. `known_good`: this very login was accepted when it was last tried."""

    registry_host: str
    username: str
    account_id: str
    known_good: bool = False


@dataclass(slots=True)
class Attempt:
    """A login that is admitted. The caller reports how it `ended`."""

    outcome: str | None = None
    retry_after: int | None = None

    def ended(self, outcome: str, retry_after: int | None = None) -> None:
        """`verified` or a code, and after how many seconds the registry wants to be asked again."""
        self.outcome, self.retry_after = outcome, retry_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Raises `EventStoreUnavailable` where the database is away."""

    table: ScheduleTable
    limiter: LoginLimiter
    bulkhead: Bulkhead
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]
    _trying: set[tuple[str, str]] = field(default_factory=set)
    _lock: Lock = field(default_factory=Lock)

    @contextmanager
    def for_test(self, identity: LoginIdentity) -> Iterator[Attempt]:
        """A login that may be wrong: one at a time of each user, and what it shows counts for the next one.

        Raises:
            NotNow
        """
        key = (identity.registry_host, hold_name(identity.username, identity.account_id))
        until = self.monotonic() + PATIENCE_SECONDS
        while not self._enter(key):
            self._wait(_POLL_SECONDS, until, "too_many_logins")
        try:
            with self._attempt(identity, until) as attempt:
                yield attempt
        finally:
            with self._lock:
                self._trying.discard(key)

    @contextmanager
    def for_read(self, identity: LoginIdentity) -> Iterator[Attempt]:
        """Something is read with a stored login. Raises `NotNow`."""
        with self._attempt(identity, self.monotonic() + PATIENCE_SECONDS) as attempt:
            yield attempt

    @contextmanager
    def _attempt(self, identity: LoginIdentity, until: float) -> Iterator[Attempt]:
        name = hold_name(identity.username, identity.account_id)
        while (held := self._held_for(identity, name)) > 0:
            self._wait(held, until, "login_held_back")
        stage, host = NO_TOKEN, identity.registry_host
        while wait := self._admit(identity, stage, until):
            self._wait(wait.seconds, until, "too_many_logins")
            stage = wait.stage
        attempt = Attempt()
        try:
            yield attempt
        finally:
            answered = attempt.outcome != VerificationCode.UNREACHABLE
            self.limiter.leave(self.bulkhead, host, identity.account_id, answered=answered)
            self._record(host, name, attempt)

    def _admit(self, identity: LoginIdentity, stage: int, until: float) -> Wait | None:
        patience = max(0.0, until - self.monotonic())
        return self.limiter.admit(
            self.bulkhead, identity.registry_host, identity.account_id, stage, patience=patience
        )

    def _enter(self, key: tuple[str, str]) -> bool:
        with self._lock:
            if key in self._trying:
                return False
            self._trying.add(key)
            return True

    def _held_for(self, identity: LoginIdentity, name: str) -> float:
        """Seconds. A login that is known to be good is no attempt at a wrong one; a registry that wants to be
        left alone is left alone by everybody.
        """
        now = self.now()
        held = self.table.hold_on(identity.registry_host, name, now)
        if held is None or (identity.known_good and held.outcome in REFUSED):
            return 0.0
        return (held.until - now).total_seconds()

    def _wait(self, seconds: float, until: float, why: Why) -> None:
        if self.monotonic() + seconds > until:
            raise NotNow(why, seconds)
        self.sleep(seconds)

    def _record(self, host: str, name: str, attempt: Attempt) -> None:
        outcome = attempt.outcome
        if outcome is None:
            return
        if clears_hold(outcome):
            self.table.release([(host, name)])
        elif hold_after(outcome, 1, None) is not None:
            self.table.hold(host, name, outcome=outcome, retry_after=attempt.retry_after, now=self.now())
