"""The loop that settles requested rotations for which nobody waits.

Each process of the command API runs it. A rotation that several of them settle is settled once, because the
others find its outcome in the log.
"""

from collections.abc import Callable
from datetime import datetime
from threading import Event, Thread
from uuid import UUID

import structlog

from chassis.database_failure import outage_reason
from chassis.runtime.failures import Failures
from credentials.application.rotations import Rotations
from credentials.domain.errors import CredentialNotFound

log = structlog.get_logger()

PAUSE_SECONDS = 1.0
_BATCH = 100  # of all that are requested, so that many which wait do not load the database
_LONGEST_BACKOFF_SECONDS = 5.0


class SettlingLoop:
    """A thread that settles requested rotations until it is closed."""

    def __init__(self, rotations: Rotations, *, now: Callable[[], datetime]) -> None:
        self._rotations = rotations
        self._now = now
        self._stop = Event()
        self._after: UUID | None = None
        self._thread = Thread(target=self._run, name="settling", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stop after the rotation that is being settled."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def settle(self) -> None:
        """Settle the next batch, as far as its logins have an outcome or were not possible in time."""
        batch = self._rotations.requested(self._after, _BATCH)
        self._after = batch[-1].credential_id if len(batch) == _BATCH else None
        for requested in batch:
            if self._stop.is_set():
                return
            try:
                self._rotations.settle(requested, self._now())
            except CredentialNotFound:
                continue  # it was removed meanwhile
            except Exception as error:
                if outage_reason(error) is not None:
                    raise
                # The others do not wait for one that cannot be settled.
                log.exception("rotation_not_settled", credential_id=str(requested.credential_id))

    def _run(self) -> None:
        failures = Failures(
            "settling_put_off", unexpected="settling_failed", longest=_LONGEST_BACKOFF_SECONDS
        )
        seconds = PAUSE_SECONDS
        while not self._stop.wait(seconds):
            try:
                self.settle()
            except Exception as error:
                seconds = failures.add(error, outage_reason(error))
            else:
                failures.reset()
                seconds = PAUSE_SECONDS
