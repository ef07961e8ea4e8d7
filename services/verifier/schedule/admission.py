"""Admission of logins for HTTP requests.

These logins follow the same rules as all other logins: token buckets, slots of the bulkhead, and holds after
a refusal. Otherwise an API client could try passwords in a loop.

A wait of up to `MAX_WAIT_SECONDS` happens here. For a longer wait the caller gets `retry_after`.
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

MAX_WAIT_SECONDS = 2.0
_POLL_SECONDS = 0.05

DelayReason = Literal["login_held_back", "too_many_logins"]


class LoginDelayed(Exception):
    """The login is not tried now. The caller may try again after `retry_after` seconds.

    `reason` is `login_held_back` if the registry recently refused a login of this user, and `too_many_logins`
    if the limit of the registry or of the account is reached.
    """

    def __init__(self, reason: DelayReason, seconds: float) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = max(1, ceil(seconds))


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginIdentity:
    """User and registry of a login. `known_valid`: the last login with the same secret was accepted."""

    registry_host: str
    username: str
    account_id: str
    known_valid: bool = False


@dataclass(slots=True)
class AdmittedLogin:
    """A login that may be tried. The caller reports its outcome with `ended`."""

    outcome: str | None = None
    retry_after: int | None = None

    def ended(self, outcome: str, retry_after: int | None = None) -> None:
        """Report the outcome: `verified` or a code, and the registry's `Retry-After` in seconds."""
        self.outcome, self.retry_after = outcome, retry_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Admits logins that requests wait for. Raises `EventStoreUnavailable` if the database is unavailable."""

    table: ScheduleTable
    limiter: LoginLimiter
    bulkhead: Bulkhead
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]
    _trying: set[tuple[str, str]] = field(default_factory=set)
    _lock: Lock = field(default_factory=Lock)

    @contextmanager
    def for_test(self, identity: LoginIdentity) -> Iterator[AdmittedLogin]:
        """Admit a login that may be wrong.

        Only one login of a user runs at a time, so that its outcome applies to the next one.

        Raises:
            LoginDelayed: the login has to wait longer than `MAX_WAIT_SECONDS`.
        """
        key = (identity.registry_host, hold_name(identity.username, identity.account_id))
        until = self.monotonic() + MAX_WAIT_SECONDS
        while not self._try_begin(key):
            self._wait(_POLL_SECONDS, until, "too_many_logins")
        try:
            with self._admitted(identity, until) as admitted:
                yield admitted
        finally:
            with self._lock:
                self._trying.discard(key)

    @contextmanager
    def for_read(self, identity: LoginIdentity) -> Iterator[AdmittedLogin]:
        """Admit a read with a stored login.

        Raises:
            LoginDelayed: the login has to wait longer than `MAX_WAIT_SECONDS`.
        """
        with self._admitted(identity, self.monotonic() + MAX_WAIT_SECONDS) as admitted:
            yield admitted

    @contextmanager
    def _admitted(self, identity: LoginIdentity, until: float) -> Iterator[AdmittedLogin]:
        name = hold_name(identity.username, identity.account_id)
        while (seconds := self._hold_seconds(identity, name)) > 0:
            self._wait(seconds, until, "login_held_back")
        stage, host = NO_TOKEN, identity.registry_host
        while wait := self._admit(identity, stage, until):
            self._wait(wait.seconds, until, "too_many_logins")
            stage = wait.stage
        admitted = AdmittedLogin()
        try:
            yield admitted
        finally:
            responded = admitted.outcome != VerificationCode.UNREACHABLE
            self.limiter.leave(self.bulkhead, host, identity.account_id, responded=responded)
            self._record(host, name, admitted)

    def _admit(self, identity: LoginIdentity, stage: int, until: float) -> Wait | None:
        max_wait = max(0.0, until - self.monotonic())
        return self.limiter.admit(
            self.bulkhead, identity.registry_host, identity.account_id, stage, max_wait=max_wait
        )

    def _try_begin(self, key: tuple[str, str]) -> bool:
        with self._lock:
            if key in self._trying:
                return False
            self._trying.add(key)
            return True

    def _hold_seconds(self, identity: LoginIdentity, name: str) -> float:
        """Seconds until the hold expires, 0.0 if there is none.

        A hold after a refused secret does not apply to a login that is known to be valid. A hold after a rate
        limit applies to every login.
        """
        hold = self.table.hold_on(identity.registry_host, name, self.now())
        if hold is None or (identity.known_valid and hold.outcome in REFUSED):
            return 0.0
        return (hold.until - self.now()).total_seconds()  # the read took time, too

    def _wait(self, seconds: float, until: float, reason: DelayReason) -> None:
        if self.monotonic() + seconds > until:
            raise LoginDelayed(reason, seconds)
        self.sleep(seconds)

    def _record(self, host: str, name: str, admitted: AdmittedLogin) -> None:
        outcome = admitted.outcome
        if outcome is None:
            return
        if clears_hold(outcome):
            self.table.release([(host, name)])
        elif hold_after(outcome, 1, None) is not None:
            self.table.hold(host, name, outcome=outcome, retry_after=admitted.retry_after, now=self.now())
