"""Runs verifications: those that events request, at once or postponed, and those that are due.

event ──▶ schedule updated ──▶ hold? limit? ──▶ login ──▶ recorded ──▶ schedule updated, hold set or cleared
                                   └─▶ postponed ──(scheduler)──┘
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from contracts.broker import CONSUMERS
from contracts.streams import credential_stream
from contracts.verdicts import VerificationCode
from eventlog.events import RecordedEvent
from verifier.policy import Verification, verification_for
from verifier.schedule.backoff import INCONCLUSIVE, clears_hold, hold_after, is_guess, next_login
from verifier.schedule.hold_table import HoldTable, Paced
from verifier.schedule.login_limiter import BOTH_TOKENS, NO_TOKEN, Bulkhead, LoginLimiter
from verifier.schedule.rows import Due, HeldLogin, Postponed, ScheduleEntry, Settled
from verifier.schedule.table import ScheduleTable
from verifier.verifier import UNREADABLE, VERIFIED, LoginAttempt, Streams, Verifier

TYPES = frozenset(CONSUMERS["verifier"])  # the events that determine a credential's schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationHandler:
    """Runs verifications under the login limits, and updates the schedule.

    Raises `EventStoreError` and `SecretStoreError`, as `Verifier` does; the caller then tries again.
    """

    verifier: Verifier
    table: ScheduleTable
    holds: HoldTable
    limiter: LoginLimiter
    streams: Streams
    event: Callable[[UUID], RecordedEvent | None]
    interval: timedelta
    now: Callable[[], datetime]
    new_id: Callable[[], UUID]

    def handle(self, event: RecordedEvent, bulkhead: Bulkhead, stage: int = NO_TOKEN) -> str:
        """Handle an event of one of `TYPES`.

        Returns the outcome: `superseded`, `repeated`, `verified`, the code of the verdict, `postponed`, or
        `noted`.
        """
        history = self.streams(event.stream)
        entry = ScheduleEntry.of(history)
        if entry is None:
            self.table.delete(event.stream.id)
            return "superseded"
        self._upsert(entry)
        verification = verification_for(event, history)
        if verification is None:
            return "noted" if event.type == "credential.details_changed" else "superseded"
        now, host, also = self.now(), verification.registry.host, verification.additional_hosts
        logins = [HeldLogin.of(one, verification.username, entry.account_id) for one in verification.hosts]
        valid = self.table.last_outcome(entry.credential_id, verification.secret_version) == VERIFIED
        holds = [self.holds.hold_on(login, now, known_valid=valid) for login in logins]
        if held := [hold.until for hold in holds if hold]:
            return self._postpone(event, max(held), stage)
        if wait := self.limiter.admit(bulkhead, host, entry.account_id, stage, first=not valid, also=also):
            return self._postpone(event, now + timedelta(seconds=wait.seconds), wait.stage)
        attempt: LoginAttempt | str | None = None
        reserved: list[HeldLogin] = []
        try:
            if not valid:
                for login in logins:
                    self.holds.reserve(login, now)
                    reserved.append(login)
            attempt = self.verifier.verify(verification, event)
        except Paced as paced:
            return self._postpone(event, now + timedelta(seconds=paced.seconds), BOTH_TOKENS)
        finally:
            guessed = (
                attempt.host if isinstance(attempt, LoginAttempt) and is_guess(attempt.outcome) else None
            )
            for login in reserved:
                if login.registry_host != guessed:
                    self.holds.give_back(login, self.now())
            self.leave(bulkhead, host, entry.account_id, attempt)
        if isinstance(attempt, str):
            return attempt
        failures = self.table.failures(entry.credential_id, verification.secret_version)
        self.settle([self.settled(attempt, verification.username, failures)], [attempt])
        return attempt.outcome

    def resume(self, postponed: Postponed, bulkhead: Bulkhead) -> str:
        """Run a postponed verification. It may be postponed again."""
        event = self.event(postponed.event_id)
        outcome = "superseded" if event is None else self.handle(event, bulkhead, postponed.stage)
        if outcome != "postponed":
            self.table.done(postponed.event_id)
        return outcome

    def verify_due(self, due: Due) -> tuple[Settled, LoginAttempt] | None:
        """Run a verification that is due.

        `None` if the credential has changed since it was scheduled; the schedule is then updated.
        """
        verification: Verification = due.verification(self.new_id())
        attempt = self.verifier.verify_again(
            verification, last_outcome=due.outcome, last_recorded=due.recorded_at
        )
        if attempt is not None:
            return self.settled(attempt, due.username, due.failures), attempt
        entry = ScheduleEntry.of(self.streams(credential_stream(due.credential_id)))
        if entry is None:
            self.table.delete(due.credential_id)
        else:
            self._upsert(entry)
        return None

    def settled(self, attempt: LoginAttempt, username: str, failures: int) -> Settled:
        """The changes of the schedule that follow from a login."""
        verification, outcome = attempt.verification, attempt.outcome
        failures = failures + 1 if outcome in INCONCLUSIVE else 0
        return Settled(
            credential_id=verification.credential_id,
            secret_version=verification.secret_version,
            registry_host=attempt.host,
            username=username,
            outcome=outcome,
            recorded_at=attempt.checked_at if attempt.recorded else None,
            failures=failures,
            due_at=next_login(
                outcome,
                failures,
                now=attempt.checked_at,
                interval=self.interval,
                credential_id=verification.credential_id,
                retry_after=attempt.verdict.retry_after,
            ),
            secret_expires_at=attempt.expires_at,
        )

    def settle(self, settled: list[Settled], attempts: list[LoginAttempt]) -> None:
        """Store the changes that follow from some logins: in the schedule, and holds of their users."""
        now = self.now()
        self.table.settle(settled, now)
        accepted = {
            HeldLogin.of(host, row.username, attempt.verification.account_id)
            for row, attempt in zip(settled, attempts, strict=True)
            if clears_hold(row.outcome)
            for host in attempt.verification.hosts
        }
        if accepted:
            self.holds.release(list(accepted), now)
        for row, attempt in zip(settled, attempts, strict=True):
            login = HeldLogin.of(row.registry_host, row.username, attempt.verification.account_id)
            if hold_after(row.outcome, 1, None) is not None:
                self.holds.hold(login, outcome=row.outcome, retry_after=attempt.verdict.retry_after, now=now)

    def leave(
        self, bulkhead: Bulkhead, host: str, account_id: str, attempt: LoginAttempt | str | None
    ) -> None:
        """Return the slot at `host`, and record which hosts responded. They were tried up to the last one."""
        if not isinstance(attempt, LoginAttempt) or attempt.verdict is UNREADABLE:
            self.limiter.leave(bulkhead, host, account_id, responded=None)
            return
        unreachable = attempt.outcome == VerificationCode.UNREACHABLE
        hosts = attempt.verification.hosts
        tried = hosts[: hosts.index(attempt.host) + 1] if attempt.verdict.code else hosts
        first, *others = tried
        self.limiter.leave(bulkhead, host, account_id, responded=not (unreachable and attempt.host == first))
        for other in others:
            self.limiter.record(other, account_id, responded=not (unreachable and attempt.host == other))

    def _upsert(self, entry: ScheduleEntry) -> None:
        now = self.now()
        due_at = next_login("verified", 0, now=now, interval=self.interval, credential_id=entry.credential_id)
        if due_at is None:
            raise ValueError("an accepted login always has a next login")
        if entry.expires_at is not None and now < entry.expires_at < due_at:
            due_at = entry.expires_at
        self.table.upsert(entry, due_at=due_at, now=now)

    def _postpone(self, event: RecordedEvent, until: datetime, stage: int) -> str:
        self.table.postpone(event.event_id, event.stream.id, due_at=until, stage=stage)
        return "postponed"
