"""Sources of hints that the log has grown. Consumers read the log at intervals in any case."""

from threading import Event
from typing import Any, Protocol

import psycopg

from chassis.database import ServiceConnection, session
from chassis.database_failure import failure_reason
from chassis.runtime.failures import Failures
from eventlog.storage.log import NOTIFICATIONS

LONGEST_BACKOFF_SECONDS = 5.0


class Wakeups(Protocol):
    """A source of hints. `eventlog.broker.feed.PositionFeed` implements it with RabbitMQ."""

    def wait(self, timeout: float) -> int:
        """Return when there may be new events, at the latest after `timeout` seconds."""

    def acknowledge_through(self, position: int) -> None:
        """Acknowledge the messages up to `position`, whose events are handled and committed."""

    def drop_beyond(self, position: int) -> None:
        """Acknowledge messages beyond `position`, the end of the log as read after the last `wait`."""

    def release(self) -> None:
        """Leave unacknowledged messages to other processes, until the next `wait`."""

    def close(self) -> None: ...


class Notifications:
    """`Wakeups` from LISTEN of PostgreSQL, for installations without a broker."""

    def __init__(self, database_url: str, *, role: str) -> None:
        self._database_url = database_url
        self._role = role
        self._connection: psycopg.Connection[Any] | None = None
        self._closed = Event()
        self._failures = Failures("notifications_lost", longest=LONGEST_BACKOFF_SECONDS, role=role)

    def wait(self, timeout: float) -> int:
        try:
            if self._connection is None:
                # PostgreSQL notifies only on the server that accepts writes, which `session` selects.
                self._connection = ServiceConnection.connect(
                    self._database_url, **session(self._role, part="listen")
                )
                self._connection.execute(f"LISTEN {NOTIFICATIONS}")
                self._failures.reset()
                return 0  # there may be events from before LISTEN
            for notification in self._connection.notifies(timeout=timeout, stop_after=1):
                return int(notification.payload or 0)
        except psycopg.Error as error:
            seconds = self._failures.add(error, failure_reason(error))
            self._disconnect()
            self._closed.wait(min(timeout, seconds))
        return 0

    def acknowledge_through(self, position: int) -> None:
        """Does nothing: notifications are not acknowledged."""

    def drop_beyond(self, position: int) -> None:
        """Does nothing, for the same reason."""

    def release(self) -> None:
        self._disconnect()

    def close(self) -> None:
        self._closed.set()
        self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
