"""Sources of hints that the log has grown. Consumers read the log at intervals in any case."""

from threading import Event
from typing import Any, Protocol

import psycopg
import structlog

from chassis.database import session
from eventlog.storage.log import NOTIFICATIONS

log = structlog.get_logger()


class Wakeups(Protocol):
    """A source of hints. `eventlog.broker.feed.PositionFeed` implements it with RabbitMQ."""

    def wait(self, timeout: float) -> int:
        """Return when there may be new events, at the latest after `timeout` seconds."""

    def acknowledge_through(self, position: int) -> None:
        """Acknowledge the messages up to `position`, whose events are handled and committed."""

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

    def wait(self, timeout: float) -> int:
        try:
            if self._connection is None:
                self._connection = psycopg.connect(self._database_url, **session(self._role, part="listen"))
                self._connection.execute(f"LISTEN {NOTIFICATIONS}")
                return 0  # there may be events from before LISTEN
            for notification in self._connection.notifies(timeout=timeout, stop_after=1):
                return int(notification.payload or 0)
        except psycopg.Error as error:
            log.warning("notifications_lost", error=type(error).__name__)
            self._disconnect()
            self._closed.wait(timeout)
        return 0

    def acknowledge_through(self, position: int) -> None:
        """Does nothing: notifications are not acknowledged."""

    def release(self) -> None:
        self._disconnect()

    def close(self) -> None:
        self._closed.set()
        self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
