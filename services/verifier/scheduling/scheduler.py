"""The loop that tries what is due: credentials by the schedule, and verifications that had to wait.

Logins run in threads, of which there are as many as the operator says; how they ended is kept in batches, so
that a login costs the database little.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue
from threading import Event, Lock
from typing import TypeVar

import psycopg
import structlog

from chassis.runtime.unavailable import Unavailable
from eventlog.consumers import leadership
from eventlog.storage import EventStoreUnavailable
from verifier.scheduling.login_limiter import Bulkhead, LoginLimiter
from verifier.scheduling.notices import Notices
from verifier.scheduling.rows import Due, Postponed, Settled
from verifier.scheduling.table import ScheduleTable
from verifier.scheduling.verification_handler import VerificationHandler
from verifier.scheduling.wait_list import Claimed, partition
from verifier.verifier import Tried

log = structlog.get_logger()

One = TypeVar("One", Due, Postponed)

NAME = "verifier-schedule"
IDLE_SECONDS = 0.5  # at the latest then the tables are looked at
BUSY_SECONDS = 0.05
_CLAIM_LIMIT = 250
_WAITING_LIMIT = 1000  # then no more are claimed
_NOTICES_EVERY = timedelta(seconds=1)
_PER_HOST = 4  # at a time: nobody waits for a scheduled login
_RECONNECT_SECONDS = 0.5
_FAILED_WAIT = timedelta(minutes=15)  # of a login that failed in a way that nobody thought of


class Scheduler:
    """`run` it in a thread. Any number of processes may; one leads."""

    def __init__(
        self,
        handler: VerificationHandler,
        table: ScheduleTable,
        limiter: LoginLimiter,
        notices: Notices,
        *,
        concurrency: int,
        now: Callable[[], datetime],
    ) -> None:
        self._handler = handler
        self._table = table
        self._limiter = limiter
        self._notices = notices
        self._now = now
        self._concurrency = concurrency
        self._bulkhead = Bulkhead(concurrency, per_host=min(_PER_HOST, max(1, concurrency // 4)))
        self._running = 0  # grows in `tick` only, so that what was free there stays so
        self._lock = Lock()
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix=NAME)
        self._waiting: list[Claimed] = []
        self._notices_at = datetime.min.replace(tzinfo=UTC)
        self._ended: SimpleQueue[tuple[Settled, Tried]] = SimpleQueue()

    def run(self, database_url: str, *, role: str, stop: Event) -> None:
        """Until `stop` is set; what is in flight then is finished."""
        while not stop.is_set():
            try:
                with leadership(database_url, role=role, name=NAME, stop=stop) as connection:
                    if connection is not None:
                        log.info("schedule_leads")
                        self._table.forget_holds(self._now())
                    while connection is not None and not stop.is_set():
                        connection.execute("SELECT")  # the lock lives as long as this connection
                        stop.wait(self.tick())
            except (psycopg.OperationalError, psycopg.InterfaceError, EventStoreUnavailable) as error:
                log.warning("schedule_lost_database", error=type(error).__name__)
                stop.wait(_RECONNECT_SECONDS)
            except Exception:
                log.exception("schedule_failed")
                stop.wait(_RECONNECT_SECONDS)
        self.close()

    def close(self) -> None:
        """Wait for what is in flight, and keep how it ended."""
        self._pool.shutdown(wait=True)
        try:
            self._settle_ended()
        except EventStoreUnavailable:
            log.warning("schedule_not_kept")  # the leases end, and it is tried again

    def tick(self) -> float:
        """Do what is due; gives the seconds after which to look again."""
        self._settle_ended()
        if self._now() >= self._notices_at:
            self._notices.send()
            self._notices_at = self._now() + _NOTICES_EVERY
        before = self._running
        self._start([])  # those that wait
        postponed = self._table.claim_postponed(self._now(), free) if (free := self._free()) else []
        for one in postponed:
            self._submit(self._resume, one)
        free = self._free() if len(self._waiting) < _WAITING_LIMIT else 0
        due = self._table.claim(self._now(), free) if free else []
        self._start(due)
        # More at once where there is room for it; else a moment later, for a batch that is worth its queries.
        if len(postponed) + len(due) >= _CLAIM_LIMIT:
            return 0.0
        return BUSY_SECONDS if postponed or due or self._waiting or before else IDLE_SECONDS

    def _start(self, due: list[Due]) -> None:
        """Log in with those that may, waiting ones first; the others wait (on), or are put off."""
        now, put_off, no_slot, free = self._now(), [], [], self._free()
        for one in [*self._waiting, *(Claimed(row, now) for row in due)]:
            row, host = one.due, one.due.registry_host
            open_for = self._limiter.open_for(host)
            if open_for:  # one of its kind has just got no answer: nobody waits for this one
                put_off.append((row, now + timedelta(seconds=open_for), row.stage))
            elif free == 0 or not self._limiter.slot_free(self._bulkhead, host, row.account_id):
                no_slot.append(one)
            elif wait := self._limiter.admit(self._bulkhead, host, row.account_id, row.stage):
                put_off.append((row, now + timedelta(seconds=wait.seconds), wait.stage))
            else:
                free -= 1
                self._submit(self._again, row)
        self._waiting, others = partition(no_slot, now)
        for one in others:
            wait = self._limiter.no_slot(one.due.registry_host, one.due.stage)
            put_off.append((one.due, now + timedelta(seconds=wait.seconds), wait.stage))
        if put_off:
            self._table.defer(put_off)

    def _again(self, due: Due) -> None:
        ended: tuple[Settled, Tried] | None = None
        try:
            ended = self._handler.again(due)
        except Unavailable as error:
            log.warning(
                "dependency_down", error=type(error).__name__
            )  # the lease ends, and it is tried again
        except Exception:
            log.exception("scheduled_login_failed", credential_id=str(due.credential_id))
            self._put_off(due)
        finally:
            answered = None if ended is None else ended[0].outcome != "unreachable"
            self._limiter.leave(self._bulkhead, due.registry_host, due.account_id, answered=answered)
            if ended is not None:
                self._ended.put(ended)
            self._ended_one()

    def _put_off(self, due: Due) -> None:
        try:
            self._table.defer([(due, self._now() + _FAILED_WAIT, due.stage)])
        except EventStoreUnavailable:
            log.warning("dependency_down", error="EventStoreUnavailable")

    def _resume(self, postponed: Postponed) -> None:
        try:
            outcome = self._handler.resume(postponed, self._bulkhead)
            log.info("resumed", credential_id=str(postponed.credential_id), outcome=outcome)
        except Unavailable as error:
            log.warning("dependency_down", error=type(error).__name__)
        except Exception:
            log.exception("postponed_login_failed", credential_id=str(postponed.credential_id))
        finally:
            self._ended_one()

    def _settle_ended(self) -> None:
        """Keep how logins ended since the last time."""
        settled, tried = [], []
        while True:
            try:
                one, how = self._ended.get_nowait()
            except Empty:
                break
            settled.append(one)
            tried.append(how)
        if settled:
            self._handler.settle(settled, tried)

    def _free(self) -> int:
        """How many may begin now."""
        return min(self._concurrency - self._running, _CLAIM_LIMIT)

    def _submit(self, work: Callable[[One], None], one: One) -> None:
        with self._lock:
            self._running += 1
        self._pool.submit(work, one)

    def _ended_one(self) -> None:
        with self._lock:
            self._running -= 1
