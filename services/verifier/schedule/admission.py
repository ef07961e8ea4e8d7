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
from verifier.schedule.backoff import clears_hold, hold_after, is_guess
from verifier.schedule.hold_table import HoldTable, Paced
from verifier.schedule.login_limiter import NO_TOKEN, Bulkhead, LoginLimiter, Wait
from verifier.schedule.rows import HeldLogin

MAX_WAIT_SECONDS = 2.0
_POLL_SECONDS = 0.05

DelayReason = Literal["login_held_back", "too_many_logins"]


class LoginDelayed(Exception):
    """The login is not tried now. The caller may try again after `retry_after` seconds.

    `reason` is `login_held_back` if the registry recently refused logins of this user, and `too_many_logins`
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

    @property
    def held(self) -> HeldLogin:
        """The login, as it is held back."""
        return HeldLogin.of(self.registry_host, self.username, self.account_id)


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

    holds: HoldTable
    limiter: LoginLimiter
    bulkhead: Bulkhead
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]
    _trying: set[HeldLogin] = field(default_factory=set)
    _lock: Lock = field(default_factory=Lock)

    @contextmanager
    def for_test(self, identity: LoginIdentity) -> Iterator[AdmittedLogin]:
        """Admit a login that may be wrong.

        Of an account, only one login of a user runs at a time, so that its outcome applies to the next one.

        Raises:
            LoginDelayed: the login has to wait longer than `MAX_WAIT_SECONDS`.
        """
        key = identity.held
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
        login = identity.held
        while (seconds := self._hold_seconds(identity, login)) > 0:
            self._wait(seconds, until, "login_held_back")
        if not identity.known_valid:
            self._take_pace(login, until)
        admitted = AdmittedLogin()
        try:
            self._take_slot(identity, until)
            try:
                yield admitted
            finally:
                responded = admitted.outcome != VerificationCode.UNREACHABLE
                self.limiter.leave(
                    self.bulkhead, identity.registry_host, identity.account_id, responded=responded
                )
                self._record(login, admitted)
        finally:
            if not (identity.known_valid or is_guess(admitted.outcome)):
                self.holds.give_back(login, self.now())

    def _take_pace(self, login: HeldLogin, until: float) -> None:
        """Wait for a token of the pace of the user."""
        try:
            seconds = self.holds.reserve(login, self.now(), at_most=until - self.monotonic())
        except Paced as paced:
            raise LoginDelayed("login_held_back", paced.seconds) from None
        if seconds:
            self.sleep(seconds)

    def _take_slot(self, identity: LoginIdentity, until: float) -> None:
        stage = NO_TOKEN
        while wait := self._admit(identity, stage, until):
            self._wait(wait.seconds, until, "too_many_logins")
            stage = wait.stage

    def _admit(self, identity: LoginIdentity, stage: int, until: float) -> Wait | None:
        max_wait = max(0.0, until - self.monotonic())
        return self.limiter.admit(
            self.bulkhead, identity.registry_host, identity.account_id, stage, max_wait=max_wait
        )

    def _try_begin(self, key: HeldLogin) -> bool:
        with self._lock:
            if key in self._trying:
                return False
            self._trying.add(key)
            return True

    def _hold_seconds(self, identity: LoginIdentity, login: HeldLogin) -> float:
        """Seconds until the hold expires, 0.0 if there is none."""
        hold = self.holds.hold_on(login, self.now(), known_valid=identity.known_valid)
        if hold is None:
            return 0.0
        return (hold.until - self.now()).total_seconds()  # the read took time, too

    def _wait(self, seconds: float, until: float, reason: DelayReason) -> None:
        if self.monotonic() + seconds > until:
            raise LoginDelayed(reason, seconds)
        self.sleep(seconds)

    def _record(self, login: HeldLogin, admitted: AdmittedLogin) -> None:
        outcome = admitted.outcome
        if outcome is None:
            return
        if clears_hold(outcome):
            self.holds.release([login], self.now())
        elif hold_after(outcome, 1, None) is not None:
            self.holds.hold(login, outcome=outcome, retry_after=admitted.retry_after, now=self.now())
