"""Verifications at the right time: those that events ask for, at once or postponed, and those that are due.

event ──▶ schedule fed ──▶ held? paced? ──▶ login ──▶ recorded ──▶ schedule settled, user held or released
                                └─▶ postponed ──(scheduler)──┘
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from contracts.broker import CONSUMERS
from contracts.streams import credential_stream
from eventlog.events import RecordedEvent
from verifier.policy import Verification, verification_for
from verifier.scheduling.due import REFUSED, UNANSWERED, clears_hold, hold_after, next_login
from verifier.scheduling.login_limiter import NO_TOKEN, Bulkhead, LoginLimiter
from verifier.scheduling.rows import Due, Hold, Postponed, ScheduleEntry, Settled
from verifier.scheduling.table import ScheduleTable
from verifier.verifier import VERIFIED, Streams, Tried, Verifier

TYPES = frozenset(CONSUMERS["verifier"])  # the events that a credential's schedule follows from


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationHandler:
    """Raises `EventStoreError` and `SecretStoreError`, as `Verifier` does; then it is to be tried again."""

    verifier: Verifier
    table: ScheduleTable
    limiter: LoginLimiter
    streams: Streams
    interval: timedelta
    now: Callable[[], datetime]
    new_id: Callable[[], UUID]

    def handle(self, event: RecordedEvent, bulkhead: Bulkhead, stage: int = NO_TOKEN) -> str:
        """An event of one of `TYPES`. How it ended: `superseded`, `repeated`, `verified`, the verdict's code,
        `postponed`, or `noted`.
        """
        history = self.streams(event.stream)
        entry = ScheduleEntry.of(history)
        if entry is None:
            self.table.leave(event.stream.id)
            return "superseded"
        self._enter(entry)
        wanted = verification_for(event, history)
        if wanted is None:
            return "noted" if event.type == "credential.details_changed" else "superseded"
        now, host = self.now(), entry.registry_host
        held = self.table.hold_on(host, entry.username, now)
        if held is not None and not self._unconcerned(held, entry):
            return self._postpone(event, held.until, stage)
        wait = self.limiter.admit(bulkhead, host, entry.account_id, stage)
        if wait is not None:
            return self._postpone(event, now + timedelta(seconds=wait.seconds), wait.stage)
        tried: Tried | str | None = None
        try:
            tried = self.verifier.verify(wanted, event)
        finally:
            self.limiter.leave(bulkhead, host, entry.account_id, answered=_answered(tried))
        if isinstance(tried, str):
            return tried
        failures = self.table.failures(entry.credential_id, entry.secret_version)
        self.settle([self.settled(tried, entry.username, failures)], [tried])
        return tried.outcome

    def resume(self, postponed: Postponed, bulkhead: Bulkhead) -> str:
        """A verification that had to wait; it may have to again."""
        history = self.streams(credential_stream(postponed.credential_id))
        event = next((event for event in history if event.event_id == postponed.event_id), None)
        outcome = "superseded" if event is None else self.handle(event, bulkhead, postponed.stage)
        if outcome != "postponed":
            self.table.done(postponed.event_id)
        return outcome

    def again(self, due: Due) -> tuple[Settled, Tried] | None:
        """A login that is due. `None` where the credential is not any more what the schedule knows of it:
        then the schedule knows better now.
        """
        wanted: Verification = due.verification(self.new_id())
        tried = self.verifier.verify_again(wanted, last_outcome=due.outcome, last_recorded=due.recorded_at)
        if tried is not None:
            return self.settled(tried, due.username, due.failures), tried
        entry = ScheduleEntry.of(self.streams(credential_stream(due.credential_id)))
        if entry is None:
            self.table.leave(due.credential_id)
        else:
            self._enter(entry)
        return None

    def settled(self, tried: Tried, username: str, failures: int) -> Settled:
        """What a login means for the schedule."""
        wanted, outcome = tried.wanted, tried.outcome
        failures = failures + 1 if outcome in UNANSWERED else 0
        return Settled(
            credential_id=wanted.credential_id,
            secret_version=wanted.secret_version,
            registry_host=wanted.registry.host,
            username=username,
            outcome=outcome,
            recorded_at=tried.checked_at if tried.recorded else None,
            failures=failures,
            due_at=next_login(
                outcome,
                failures,
                now=tried.checked_at,
                interval=self.interval,
                credential_id=wanted.credential_id,
                retry_after=tried.verdict.retry_after,
            ),
            secret_expires_at=tried.expires_at,
        )

    def settle(self, settled: list[Settled], tried: list[Tried]) -> None:
        """Keep what some logins mean for the schedule, and for the next login of their users."""
        now = self.now()
        self.table.settle(settled, now)
        good = {(one.registry_host, one.username) for one in settled if clears_hold(one.outcome)}
        if good:
            self.table.release(sorted(good))
        for one, how in zip(settled, tried, strict=True):
            if hold_after(one.outcome, 1, None) is not None:
                self.table.hold(
                    one.registry_host,
                    one.username,
                    outcome=one.outcome,
                    retry_after=how.verdict.retry_after,
                    now=now,
                )

    def _unconcerned(self, held: Hold, entry: ScheduleEntry) -> bool:
        """Whether a refusal was of another secret: one that is known to be good waits for no wrong one."""
        last = self.table.last_outcome(entry.credential_id, entry.secret_version)
        return held.outcome in REFUSED and last == VERIFIED

    def _enter(self, entry: ScheduleEntry) -> None:
        now = self.now()
        due_at = next_login("verified", 0, now=now, interval=self.interval, credential_id=entry.credential_id)
        if due_at is None:
            raise ValueError("a good login is always followed by another")
        if entry.expires_at is not None and now < entry.expires_at < due_at:
            due_at = entry.expires_at
        self.table.enter(entry, due_at=due_at, now=now)

    def _postpone(self, event: RecordedEvent, until: datetime, stage: int) -> str:
        self.table.postpone(event.event_id, event.stream.id, due_at=until, stage=stage)
        return "postponed"


def _answered(tried: Tried | str | None) -> bool | None:
    """Whether the registry said anything; `None` where it was not asked."""
    return tried.outcome != "unreachable" if isinstance(tried, Tried) else None
