"""The loop that runs scheduled and postponed verifications.

Logins run in threads, as many as the operator configures. Their outcomes are stored in batches, to reduce the
load on the database.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue
from threading import Event, Lock
from typing import TypeVar

import structlog

from chassis.database_failure import failure_reason, outage_reason
from chassis.runtime.failures import Failures
from chassis.runtime.loops import Step, no_step
from chassis.runtime.unavailable import Unavailable
from eventlog.consumers import LeaderConnection, leadership
from eventlog.storage import StaleLeader
from verifier.schedule.hold_table import HoldTable
from verifier.schedule.login_limiter import Bulkhead, LoginLimiter
from verifier.schedule.notices import Notices
from verifier.schedule.rows import Due, Postponed, Settled
from verifier.schedule.table import ScheduleTable
from verifier.schedule.verification_handler import VerificationHandler
from verifier.schedule.wait_list import Claimed, partition
from verifier.verifier import LoginAttempt

log = structlog.get_logger()

Row = TypeVar("Row", Due, Postponed)

NAME = "verifier-schedule"
IDLE_SECONDS = 0.5  # longest interval between two queries for due rows
BUSY_SECONDS = 0.05
_CLAIM_LIMIT = 250
_WAITING_LIMIT = 1000  # no further rows are claimed while this many wait
_NOTICES_EVERY = timedelta(seconds=1)
_OLD_HOLDS_EVERY = timedelta(hours=1)
_PER_HOST = 4  # concurrent scheduled logins; a low limit, because no user waits for them
_LONGEST_BACKOFF_SECONDS = 5.0  # after the loss of the database
_FAILED_WAIT = timedelta(minutes=15)  # delay after a login that failed with an unexpected exception


class Scheduler:
    """Runs verifications that are due.

    `run` is the body of a thread. Several processes may run it; one leads.
    """

    def __init__(
        self,
        handler: VerificationHandler,
        table: ScheduleTable,
        holds: HoldTable,
        limiter: LoginLimiter,
        notices: Notices,
        *,
        concurrency: int,
        now: Callable[[], datetime],
    ) -> None:
        self._handler = handler
        self._table = table
        self._holds = holds
        self._limiter = limiter
        self._notices = notices
        self._now = now
        self._concurrency = concurrency
        self._bulkhead = Bulkhead(concurrency, per_host=min(_PER_HOST, max(1, concurrency // 4)))
        self._epoch = 0  # of the last leadership of this process
        self._running = 0  # grows in `tick` only, so that slots which are free there stay free
        self._lock = Lock()
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix=NAME)
        self._waiting: list[Claimed] = []
        self._notices_at = self._old_holds_at = datetime.min.replace(tzinfo=UTC)
        self._results: SimpleQueue[tuple[Settled, LoginAttempt]] = SimpleQueue()
        self._unsettled: list[tuple[Settled, LoginAttempt]] = []  # taken from the queue, and not stored yet

    def run(self, database_url: str, *, role: str, stop: Event, step: Step = no_step) -> None:
        """Run until `stop` is set, and then finish the logins that are running.

        `step` is called at each step of the loop (`chassis.runtime.loops`).
        """
        failures = Failures(
            "schedule_lost_database", unexpected="schedule_failed", longest=_LONGEST_BACKOFF_SECONDS
        )
        while not stop.is_set():
            try:
                with leadership(database_url, role=role, name=NAME, stop=stop, step=step) as connection:
                    if connection is not None:
                        self._lead(connection, failures, stop)
            except StaleLeader:
                log.warning("schedule_superseded")
            except Exception as error:
                stop.wait(failures.add(error, outage_reason(error)))
        self.close()

    def _lead(self, connection: LeaderConnection, failures: Failures, stop: Event) -> None:
        epoch = connection.lease.epoch
        log.info("schedule_leads", epoch=epoch)
        if epoch != self._epoch + 1:  # another process led in the meantime, and has claimed the rows again
            self._discard_claims()
        self._epoch = epoch
        while not stop.is_set():
            connection.execute("SELECT")  # fails if the connection or the lease is lost
            seconds = self.tick()
            failures.reset()
            stop.wait(seconds)
        self.close()  # while this process still leads

    def close(self) -> None:
        """Wait for the logins that are running, and store their outcomes."""
        self._pool.shutdown(wait=True)
        try:
            self._settle_results()
        except (Unavailable, StaleLeader):
            log.warning("schedule_not_kept")  # the claims expire, and the rows are due again

    def tick(self) -> float:
        """Start what is due. Returns the seconds until the next call."""
        self._settle_results()
        if self._now() >= self._notices_at:
            self._notices.send()
            self._notices_at = self._now() + _NOTICES_EVERY
        if self._now() >= self._old_holds_at:
            self._holds.delete_old(self._now())
            self._old_holds_at = self._now() + _OLD_HOLDS_EVERY
        before = self._running
        self._start([])  # only the rows that wait for a slot
        postponed = self._table.claim_postponed(self._now(), free) if (free := self._free()) else []
        for row in postponed:
            self._submit(self._resume, row)
        free = self._free() if len(self._waiting) < _WAITING_LIMIT else 0
        due = self._table.claim(self._now(), free) if free else []
        self._start(due)
        # A full batch is followed by the next one at once. Otherwise a pause lets the next batch fill.
        if len(postponed) + len(due) >= _CLAIM_LIMIT:
            return 0.0
        return BUSY_SECONDS if postponed or due or self._waiting or before else IDLE_SECONDS

    def _start(self, due: list[Due]) -> None:
        """Start the logins that are admitted, beginning with the waiting rows.

        The others wait or are deferred.
        """
        now, deferred, no_slot, free = self._now(), [], [], self._free()
        for claimed in [*self._waiting, *(Claimed(row, now) for row in due)]:
            row, host = claimed.due, claimed.due.registry_host
            open_for = self._limiter.open_for(host, row.account_id)
            if open_for:  # another login there has just got no response, and no user waits for this one
                deferred.append((row, now + timedelta(seconds=open_for), row.stage))
            elif free == 0 or not self._limiter.slot_free(self._bulkhead, host, row.account_id):
                no_slot.append(claimed)
            elif wait := self._limiter.admit(
                self._bulkhead, host, row.account_id, row.stage, first=False, also=row.additional_hosts
            ):
                deferred.append((row, now + timedelta(seconds=wait.seconds), wait.stage))
            else:
                free -= 1
                self._submit(self._verify_due, row)
        self._waiting, others = partition(no_slot, now)
        for claimed in others:
            row = claimed.due
            wait = self._limiter.no_slot(row.registry_host, row.account_id, row.stage)
            deferred.append((row, now + timedelta(seconds=wait.seconds), wait.stage))
        if deferred:
            self._table.defer(deferred)

    def _verify_due(self, due: Due) -> None:
        result: tuple[Settled, LoginAttempt] | None = None
        try:
            result = self._handler.verify_due(due)
        except (Unavailable, StaleLeader) as error:  # the claim expires, and the row is due again
            log.warning("dependency_down", error=type(error).__name__, reason=failure_reason(error))
        except Exception:
            log.exception("scheduled_login_failed", credential_id=str(due.credential_id))
            self._defer(due)
        finally:
            attempt = result[1] if result else None
            self._handler.leave(self._bulkhead, due.registry_host, due.account_id, attempt)
            if result is not None:
                self._results.put(result)
            self._finished()

    def _defer(self, due: Due) -> None:
        try:
            self._table.defer([(due, self._now() + _FAILED_WAIT, due.stage)])
        except (Unavailable, StaleLeader) as error:
            log.warning("dependency_down", error=type(error).__name__)

    def _resume(self, postponed: Postponed) -> None:
        try:
            outcome = self._handler.resume(postponed, self._bulkhead)
            log.info("resumed", credential_id=str(postponed.credential_id), outcome=outcome)
        except (Unavailable, StaleLeader) as error:
            log.warning("dependency_down", error=type(error).__name__, reason=failure_reason(error))
        except Exception:
            log.exception("postponed_login_failed", credential_id=str(postponed.credential_id))
        finally:
            self._finished()

    def _settle_results(self) -> None:
        """Store the outcomes of the logins that have finished since the last success."""
        with suppress(Empty):
            while True:
                self._unsettled.append(self._results.get_nowait())
        if not self._unsettled:
            return
        results, self._unsettled = self._unsettled, []
        try:
            self._handler.settle([row for row, _ in results], [attempt for _, attempt in results])
        except Unavailable:
            self._unsettled = results  # stored at the next call
            raise

    def _discard_claims(self) -> None:
        self._waiting, self._unsettled = [], []
        with suppress(Empty):
            while True:
                self._results.get_nowait()

    def _free(self) -> int:
        """How many logins may start now."""
        return min(self._concurrency - self._running, _CLAIM_LIMIT)

    def _submit(self, work: Callable[[Row], None], row: Row) -> None:
        with self._lock:
            self._running += 1
        self._pool.submit(copy_context().run, work, row)  # under the lease of this leadership

    def _finished(self) -> None:
        with self._lock:
            self._running -= 1
