"""The loop of every consumer of the log: lead, read, deliver, wait.

It survives restarts of database, broker and secret store. Events are delivered at least once, in the order of
the log and without a gap. After a loss of leadership, delivery begins again after the checkpoint.
"""

from collections.abc import Callable, Sequence
from threading import Event
from typing import Protocol

import structlog

from chassis.database import Connection
from chassis.database_failure import outage_reason
from chassis.runtime.failures import Failures
from chassis.runtime.loops import Step, no_step
from eventlog.consumers.leader import leadership
from eventlog.consumers.wakeups import Wakeups
from eventlog.events.envelope import StoredEvent
from eventlog.storage.errors import StaleLeader
from eventlog.storage.log import load_checkpoint, read_log
from eventlog.storage.personal_keys import PersonalKeys

log = structlog.get_logger()

BATCH = 500
POLL_SECONDS = 1.0  # the longest time between two reads of the log, even without a wake-up
LONGEST_BACKOFF_SECONDS = 5.0  # between failed attempts

# A crash of the database can undo the last commits of a consumer. Checkpoint and effects are in one
# transaction, so the consumer repeats them from the log, and its commits need not wait for the disk.
_ASYNCHRONOUS = "SET synchronous_commit = off"


class EventConsumer(Protocol):
    """Handles the events that `follow` reads."""

    def begin(self, checkpoint: int) -> None:
        """Begin a leadership of this process. The next event is the one after `checkpoint`."""

    def handle(self, connection: Connection, events: Sequence[StoredEvent]) -> int:
        """Handle the next events, or none. Returns the committed checkpoint, which may precede these events.

        An exception ends the leadership; the events after the checkpoint are then delivered again.
        """

    def finish(self, connection: Connection, /) -> int:
        """Complete events in progress within seconds, because the process stops. Returns the checkpoint."""


def follow(
    consumer: EventConsumer,
    *,
    database_url: str,
    role: str,
    name: str,
    wakeups: Wakeups,
    stop: Event,
    checkpoint: Callable[[Connection], int] | None = None,
    personal: PersonalKeys | None = None,
    pause: float = 0.0,
    step: Step = no_step,
) -> None:
    """Run a consumer until `stop` is set.

    `checkpoint` returns the position to begin after; the default is that of `es.checkpoints`. Without
    `personal`, personal data reads as erased. `pause` is the time in seconds between two reads while there
    are events, so that events of this time are delivered in one batch. After an idle time, events are
    delivered at once. `step` is called at each step of the loop (`chassis.runtime.loops`).
    """
    start = checkpoint or (lambda connection: load_checkpoint(connection, name))
    failures = Failures(
        "consumer_waits", unexpected="consumer_failed", longest=LONGEST_BACKOFF_SECONDS, consumer=name
    )
    while not stop.is_set():
        try:
            with leadership(database_url, role=role, name=name, stop=stop, step=step) as connection:
                if connection is not None:
                    connection.execute(_ASYNCHRONOUS)
                    consumer.begin(read := start(connection))
                    log.info("consumer_leads", consumer=name, checkpoint=read)
                    _lead(
                        consumer,
                        connection,
                        read,
                        wakeups=wakeups,
                        stop=stop,
                        failures=failures,
                        personal=personal,
                        pause=pause,
                    )
        except StaleLeader:
            log.warning("consumer_superseded", consumer=name)
            wakeups.release()
        except Exception as error:
            wakeups.release()
            stop.wait(failures.add(error, outage_reason(error)))
    wakeups.release()


def _lead(
    consumer: EventConsumer,
    connection: Connection,
    read: int,
    *,
    wakeups: Wakeups,
    stop: Event,
    failures: Failures,
    personal: PersonalKeys | None,
    pause: float,
) -> None:
    while not stop.is_set():
        events = read_log(connection, read, BATCH, personal=personal)
        checkpoint = consumer.handle(connection, events)
        failures.reset()
        if events:
            read = events[-1].position or read
        wakeups.acknowledge_through(checkpoint)
        if len(events) < BATCH:
            wakeups.drop_beyond(read)
            if events and pause:
                stop.wait(pause)
            wakeups.wait(POLL_SECONDS)
    wakeups.acknowledge_through(consumer.finish(connection))
