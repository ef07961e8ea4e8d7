"""Requests that were refused before the domain, on their way to the audit trail.

A refusal is recorded in a thread of its own, so that no response waits for it or fails because of it. To keep
refusals from filling the audit trail, few of a principal are recorded in a minute; the last one has the
number of those that were left out.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from queue import Empty, Full, Queue
from threading import Event, Lock, Thread

import structlog

from chassis.authentication.refused_request import RefusedRequest

log = structlog.get_logger()

PER_MINUTE = 10  # of one principal, in one process
PRINCIPALS_PER_MINUTE = 100  # the refusals of others are only counted in the log of the process
PRINCIPALS_OF_ACCOUNTS = 5  # of these, with the same accounts: an administrator of them can create many
_WINDOW_SECONDS = 60.0
_POLL_SECONDS = 1.0
_CLOSE_SECONDS = 5.0
_WAITING = 1000


class RefusalLimiter:
    """Decides which refusals are recorded."""

    def __init__(self) -> None:
        self._windows: dict[str, _Window] = {}
        self.uncounted = 0  # of principals that came after as many others as are recorded

    def admit(self, refused: RefusedRequest, monotonic: float) -> RefusedRequest | None:
        """The refusal, if it is recorded now."""
        window = self._windows.get(refused.principal.id)
        if window is None:
            accounts = refused.principal.accounts
            same = sum(accounts is not None and each.accounts == accounts for each in self._windows.values())
            if len(self._windows) >= PRINCIPALS_PER_MINUTE or same >= PRINCIPALS_OF_ACCOUNTS:
                self.uncounted += 1
                return None
            window = self._windows[refused.principal.id] = _Window(began=monotonic, accounts=accounts)
        window.count += 1
        if window.count < PER_MINUTE:
            return refused
        window.last = refused
        return None

    def due(self, monotonic: float | None) -> Iterator[RefusedRequest]:
        """The last refusals of the principals whose minute is over (`None`: of all), with their count."""
        for principal_id, window in list(self._windows.items()):
            if monotonic is None or monotonic - window.began >= _WINDOW_SECONDS:
                del self._windows[principal_id]
                if window.last is not None:
                    yield replace(window.last, omitted=window.count - PER_MINUTE)


@dataclass(slots=True)
class _Window:
    """The refusals of one principal in a minute: their number, and the last one after `PER_MINUTE`."""

    began: float
    accounts: frozenset[str] | None
    count: int = 0
    last: RefusedRequest | None = None


class RefusalLog:
    """Records refusals with `record`, which may raise. Its thread starts with the first refusal."""

    def __init__(self, record: Callable[[RefusedRequest], None], *, monotonic: Callable[[], float]) -> None:
        self._record = record
        self._monotonic = monotonic
        self._limiter = RefusalLimiter()
        self._waiting: Queue[RefusedRequest | None] = Queue(_WAITING)  # None: stop
        self._lock = Lock()
        self._stop = Event()
        self._thread: Thread | None = None

    def __call__(self, refused: RefusedRequest) -> None:
        """Record a refusal soon. It neither waits nor raises."""
        with self._lock:
            admitted = self._limiter.admit(refused, self._monotonic())
            if self._thread is None and not self._stop.is_set():
                self._thread = Thread(target=self._run, name="refusals", daemon=True)
                self._thread.start()
        if admitted is not None:
            self._put(admitted)

    def close(self) -> None:
        """Record what is waiting, and stop."""
        with self._lock:
            self._stop.set()
            thread = self._thread
        if thread is not None:
            with suppress(Full):  # then the thread does not wait
                self._waiting.put_nowait(None)
            thread.join(_CLOSE_SECONDS)

    def _put(self, refused: RefusedRequest) -> None:
        try:
            self._waiting.put_nowait(refused)
        except Full:
            log.warning("refusals_not_recorded", principal=refused.principal.id, reason=refused.reason)

    def _run(self) -> None:
        while True:
            stopping = self._stop.is_set()
            with suppress(Empty):
                while True:
                    waiting = self._waiting.get(timeout=0 if stopping else _POLL_SECONDS)
                    if waiting is None:
                        break
                    self._save(waiting)
            with self._lock:
                due = list(self._limiter.due(None if stopping else self._monotonic()))
                uncounted, self._limiter.uncounted = self._limiter.uncounted, 0
            for refused in due:
                self._save(refused)
            if uncounted:
                log.warning("refusals_not_recorded", count=uncounted)
            if stopping:
                return

    def _save(self, refused: RefusedRequest) -> None:
        try:
            self._record(refused)
        except Exception as error:  # the response was sent
            log.error(  # noqa: TRY400 the type is enough
                "refusal_not_recorded",
                error=type(error).__name__,
                principal=refused.principal.id,
                reason=refused.reason,
                request_id=refused.request_id,
            )
