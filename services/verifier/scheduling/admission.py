"""Logins that a request waits for, kept to what holds for all logins: paces, a share of the lanes, and holds
after a refusal. Without it a loop of requests would be a loop of attempts at somebody's registry.

A turn that comes within a moment is waited for; else the caller is told when to come again.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil
from threading import Lock
from typing import Literal

from contracts.verdicts import VerificationCode
from verifier.scheduling.due import REFUSED, clears_hold, hold_after
from verifier.scheduling.login_limiter import NOTHING, Gate, Lanes, Wait
from verifier.scheduling.rows import hold_name
from verifier.scheduling.table import ScheduleTable

PATIENCE_SECONDS = 2.0
_LOOK_AGAIN_SECONDS = 0.05

Why = Literal["login_held_back", "too_many_logins"]


class NotNow(Exception):
    """The login is not tried; `retry_after` seconds later it may be. `login_held_back`: the registry refused
    this user a moment ago. `too_many_logins`: the turns of this registry, or of this account, are taken.
    """

    def __init__(self, why: Why, seconds: float) -> None:
        super().__init__(why)
        self.why = why
        self.retry_after = max(1, ceil(seconds))


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """As whom, and where. `known_good`: this very login was taken when it was last tried."""

    registry_host: str
    username: str
    account_id: str
    known_good: bool = False


@dataclass(slots=True)
class Turn:
    """The caller's; he says how it `ended` before he gives it back."""

    outcome: str | None = None
    retry_after: int | None = None

    def ended(self, outcome: str, retry_after: int | None = None) -> None:
        """`verified` or a code, and after how many seconds the registry wants to be asked again."""
        self.outcome, self.retry_after = outcome, retry_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """Raises `EventStoreUnavailable` where the database is away."""

    table: ScheduleTable
    gate: Gate
    lanes: Lanes
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]
    _trying: set[tuple[str, str]] = field(default_factory=set)
    _lock: Lock = field(default_factory=Lock)

    @contextmanager
    def trial(self, user: User) -> Iterator[Turn]:
        """A login that may be wrong: one at a time of each user, and what it shows counts for the next one.

        Raises:
            NotNow
        """
        key = (user.registry_host, hold_name(user.username, user.account_id))
        until = self.monotonic() + PATIENCE_SECONDS
        while not self._enter(key):
            self._wait(_LOOK_AGAIN_SECONDS, until, "too_many_logins")
        try:
            with self._turn(user, until) as turn:
                yield turn
        finally:
            with self._lock:
                self._trying.discard(key)

    @contextmanager
    def reading(self, user: User) -> Iterator[Turn]:
        """Something is read with a login that is kept. Raises `NotNow`."""
        with self._turn(user, self.monotonic() + PATIENCE_SECONDS) as turn:
            yield turn

    @contextmanager
    def _turn(self, user: User, until: float) -> Iterator[Turn]:
        name = hold_name(user.username, user.account_id)
        while (held := self._held_for(user, name)) > 0:
            self._wait(held, until, "login_held_back")
        stage, host = NOTHING, user.registry_host
        while wait := self._admit(user, stage, until):
            self._wait(wait.seconds, until, "too_many_logins")
            stage = wait.stage
        turn = Turn()
        try:
            yield turn
        finally:
            answered = turn.outcome != VerificationCode.UNREACHABLE
            self.gate.leave(self.lanes, host, user.account_id, answered=answered)
            self._keep(host, name, turn)

    def _admit(self, user: User, stage: int, until: float) -> Wait | None:
        patience = max(0.0, until - self.monotonic())
        return self.gate.admit(self.lanes, user.registry_host, user.account_id, stage, patience=patience)

    def _enter(self, key: tuple[str, str]) -> bool:
        with self._lock:
            if key in self._trying:
                return False
            self._trying.add(key)
            return True

    def _held_for(self, user: User, name: str) -> float:
        """Seconds. A login that is known to be good is no attempt at a wrong one; a registry that wants to be
        left alone is left alone by everybody.
        """
        now = self.now()
        held = self.table.hold_on(user.registry_host, name, now)
        if held is None or (user.known_good and held.outcome in REFUSED):
            return 0.0
        return (held.until - now).total_seconds()

    def _wait(self, seconds: float, until: float, why: Why) -> None:
        if self.monotonic() + seconds > until:
            raise NotNow(why, seconds)
        self.sleep(seconds)

    def _keep(self, host: str, name: str, turn: Turn) -> None:
        outcome = turn.outcome
        if outcome is None:
            return
        if clears_hold(outcome):
            self.table.release([(host, name)])
        elif hold_after(outcome, 1, None) is not None:
            self.table.hold(host, name, outcome=outcome, retry_after=turn.retry_after, now=self.now())
