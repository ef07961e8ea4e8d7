"""The loop around every consumer of the log: lead, read on, hand over, wait for more.

It goes on by itself through restarts of database, broker and secret store. Events are handed over in the
order of the log and without a gap, at least once: after a loss of leadership it begins again behind the
checkpoint.
"""

from collections.abc import Callable, Sequence
from threading import Event
from typing import Protocol

import psycopg
import structlog

from chassis.database import Connection
from chassis.runtime.backoff import backoff
from chassis.runtime.unavailable import Unavailable
from eventlog.consumers.leader import leadership
from eventlog.consumers.wakeups import Wakeups
from eventlog.events.envelope import StoredEvent
from eventlog.storage.log import load_checkpoint, read_log
from eventlog.storage.personal_keys import PersonalKeys

log = structlog.get_logger()

BATCH = 500
POLL_SECONDS = 1.0  # at the latest then the log is looked at, whatever the wake-ups say
LONGEST_BACKOFF_SECONDS = 5.0  # between attempts that get nowhere
_AWAY = (psycopg.OperationalError, psycopg.InterfaceError, Unavailable)

# What a crash of the database undoes of a consumer's last moments is done again from the log: a checkpoint
# goes together with what was committed with it. So no batch waits for the disk; events and positions do.
_ASYNCHRONOUS = "SET synchronous_commit = off"


class EventConsumer(Protocol):
    """What is done with the events."""

    def begin(self, checkpoint: int) -> None:
        """Leadership is gained; the next event is the one behind `checkpoint`."""

    def take(self, connection: Connection, events: Sequence[StoredEvent]) -> int:
        """The next events, perhaps none; gives the committed checkpoint, which may lag behind them.

        An exception ends this leadership; the same events come again.
        """

    def finish(self, connection: Connection, /) -> int:
        """The process stops: finish in some seconds what is in flight; gives the committed checkpoint."""


class _Failures:
    """What went wrong since something last went well."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._in_a_row = 0
        self._reported = ""

    def none(self) -> None:
        self._in_a_row, self._reported = 0, ""

    def one(self, error: Exception) -> float:
        """Tell of it, with a stack trace where it is new and a bug; gives the seconds to wait."""
        kind = type(error).__name__
        if isinstance(error, _AWAY):
            log.warning("consumer_waits", consumer=self._name, error=kind)
        else:
            log.error("consumer_failed", consumer=self._name, error=kind, exc_info=kind != self._reported)
            self._reported = kind
        seconds = backoff(self._in_a_row, longest=LONGEST_BACKOFF_SECONDS)
        self._in_a_row += 1
        return seconds


def follow(
    follower: EventConsumer,
    *,
    database_url: str,
    role: str,
    name: str,
    wakeups: Wakeups,
    stop: Event,
    checkpoint: Callable[[Connection], int] | None = None,
    personal: PersonalKeys | None = None,
    pause: float = 0.0,
) -> None:
    """Run until `stop` is set. `checkpoint` tells where to begin; without it `es.checkpoints` does. Without
    `personal`, events read as if what is personal in them were erased. For so many seconds after some events
    (`pause`) it does not look for more: what comes meanwhile is taken together. What comes after a while
    without any is taken at once.
    """
    start = checkpoint or (lambda connection: load_checkpoint(connection, name))
    failures = _Failures(name)
    while not stop.is_set():
        try:
            with leadership(database_url, role=role, name=name, stop=stop) as connection:
                if connection is not None:
                    connection.execute(_ASYNCHRONOUS)
                    follower.begin(read := start(connection))
                    log.info("consumer_leads", consumer=name, checkpoint=read)
                    _lead(
                        follower,
                        connection,
                        read,
                        wakeups=wakeups,
                        stop=stop,
                        failures=failures,
                        personal=personal,
                        pause=pause,
                    )
        except Exception as error:
            wakeups.release()
            stop.wait(failures.one(error))
    wakeups.release()


def _lead(
    follower: EventConsumer,
    connection: Connection,
    read: int,
    *,
    wakeups: Wakeups,
    stop: Event,
    failures: _Failures,
    personal: PersonalKeys | None,
    pause: float,
) -> None:
    while not stop.is_set():
        events = read_log(connection, read, BATCH, personal=personal)
        checkpoint = follower.take(connection, events)
        failures.none()
        if events:
            read = events[-1].position or read
        wakeups.acknowledge_through(checkpoint)
        if len(events) < BATCH:
            if events and pause:
                stop.wait(pause)
            wakeups.wait(POLL_SECONDS)
    wakeups.acknowledge_through(follower.finish(connection))
