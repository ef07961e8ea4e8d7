"""The consumer that applies events to the generation that is live at the time of each batch.

Once an hour it drops generations that were retired long ago.
"""

from collections.abc import Sequence
from time import monotonic
from typing import Any

import psycopg
import structlog

from eventlog.consumers import reported_batch
from eventlog.events import StoredEvent
from eventlog.storage import PersonalKeys
from projector.write.batch_writer import BatchWriter, lock_live
from projector.write.dead_letters import blocked_streams_of_live, redrive
from projector.write.generations import drop_retired, live_position
from projector.write.projections.projected_event import project

log = structlog.get_logger()

CONSUMER = "projector"
DROP_INTERVAL_SECONDS = 3600.0


class ReadModelConsumer:
    """An `EventConsumer` that updates the live generation.

    Each batch reads which generation is live, so a switch needs no restart.
    """

    def __init__(self, personal: PersonalKeys | None = None) -> None:
        self._personal = personal
        self._batch_writer = BatchWriter(lock_live)
        self._checkpoint = 0
        self._drop_due = monotonic()

    def redrive_and_get_checkpoint(self, connection: psycopg.Connection[Any]) -> int:
        """Redrive the dead letters of the live generation, and return its checkpoint.

        A newer version of the program may be able to read their events.
        """
        for stream_id in blocked_streams_of_live(connection):
            redrive(connection, stream_id, self._personal)
        return live_position(connection)

    def begin(self, checkpoint: int) -> None:
        self._checkpoint = checkpoint
        self._drop_due = monotonic()

    def handle(self, connection: psycopg.Connection[Any], events: Sequence[StoredEvent]) -> int:
        if events:
            with reported_batch(CONSUMER, events):
                self._checkpoint = self._batch_writer.advance(
                    connection, [project(event) for event in events]
                ).position
        if monotonic() >= self._drop_due:
            self._drop_due = monotonic() + DROP_INTERVAL_SECONDS
            _drop_retired(connection)
        return self._checkpoint

    def finish(self, _connection: psycopg.Connection[Any]) -> int:
        """The committed checkpoint. No events are in flight between two batches."""
        return self._checkpoint


def _drop_retired(connection: psycopg.Connection[Any]) -> None:
    """A generation that cannot be dropped now is tried again later: the live one must not wait for it."""
    try:
        for number in drop_retired(connection):
            log.info("generation_dropped", generation=number)
    except (psycopg.errors.LockNotAvailable, psycopg.errors.DependentObjectsStillExist) as error:
        log.warning("generation_not_dropped", error=type(error).__name__)
