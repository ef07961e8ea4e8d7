"""Events that are tried again later (`es.retries`), and dead letters (`es.dead_letters`): ADR 10.

Times are the database's: whoever leads next goes by the same clock.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any

import psycopg
import structlog

from eventlog.events.envelope import StoredEvent
from eventlog.storage.log import read_log
from eventlog.storage.personal_keys import PersonalKeys

log = structlog.get_logger()

PUT_OFF = timedelta(minutes=1)  # of an event whose dependency stays away

_DUE = """
SELECT position, attempts FROM es.retries
WHERE consumer = %s AND due_at <= clock_timestamp() AND position <> ALL (%s)
ORDER BY due_at, position LIMIT %s
"""
# Discarded ones too: a checkpoint that an earlier event holds back would bring them again.
_SETTLED = """
SELECT position FROM es.retries WHERE consumer = %(consumer)s AND position > %(after)s
UNION ALL
SELECT position FROM es.dead_letters WHERE consumer = %(consumer)s AND position > %(after)s
UNION ALL
SELECT position FROM es.interventions
WHERE consumer = %(consumer)s AND position > %(after)s AND action = 'discarded'
"""
_FIRST = """
INSERT INTO es.retries (consumer, position, stream_id, attempts, due_at, reason)
SELECT %(consumer)s, l.position, l.stream_id, %(attempts)s, clock_timestamp() + %(wait)s,
       left(%(reason)s, 500)
FROM es.log l WHERE l.position = %(position)s ON CONFLICT DO NOTHING
"""
_AGAIN = """
UPDATE es.retries
SET attempts = %(attempts)s, due_at = clock_timestamp() + %(wait)s, reason = left(%(reason)s, 500)
WHERE consumer = %(consumer)s AND position = %(position)s AND attempts = %(before)s
"""
_ADD_DEAD_LETTER = """
INSERT INTO es.dead_letters (consumer, position, stream_id, attempts, reason)
SELECT %(consumer)s, l.position, l.stream_id, %(attempts)s, left(%(reason)s, 500)
FROM es.log l WHERE l.position = %(position)s ON CONFLICT DO NOTHING
"""
_ADD_RETRIED_DEAD_LETTER = """
WITH gone AS (
    DELETE FROM es.retries WHERE consumer = %(consumer)s AND position = %(position)s AND attempts = %(before)s
    RETURNING consumer, position, stream_id)
INSERT INTO es.dead_letters (consumer, position, stream_id, attempts, reason)
SELECT consumer, position, stream_id, %(attempts)s, left(%(reason)s, 500) FROM gone ON CONFLICT DO NOTHING
"""
_DONE = "DELETE FROM es.retries WHERE consumer = %s AND position = %s"


class Fate(Enum):
    """How one attempt ended."""

    DONE = "done"
    FAILED = "failed"  # it is tried again, as long as there are tiers
    HOPELESS = "parked"  # no later attempt would do better
    PUT_OFF = "put_off"  # counts for nothing: what it depends on is away


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event to be handled, and how often it was before; `retried`: it comes from `es.retries`."""

    event: StoredEvent
    attempts: int = 0
    retried: bool = False

    @property
    def position(self) -> int:
        if self.event.position is None:
            raise ValueError("an event of the log has a position")
        return self.event.position


@dataclass(frozen=True, slots=True)
class Ended:
    """A delivery, and how it ended; `reason` says why it is not done, without anything of a secret."""

    delivery: Delivery
    fate: Fate
    reason: str = ""


class Retries:
    """Those of one consumer. `tiers` are the waits after the first failure, the second, and so on."""

    def __init__(
        self, consumer: str, tiers: Sequence[timedelta], personal: PersonalKeys | None = None
    ) -> None:
        self._consumer = consumer
        self._personal = personal
        self._tiers = tuple(tiers)

    def due(
        self, connection: psycopg.Connection[Any], limit: int, *, besides: Collection[int]
    ) -> list[Delivery]:
        """Up to `limit` whose time has come, the longest due first, without those at positions `besides`."""
        rows = connection.execute(_DUE, (self._consumer, list(besides), limit)).fetchall()
        return [
            Delivery(event, attempts, retried=True)
            for position, attempts in rows
            for event in read_log(connection, position - 1, 1, personal=self._personal)
        ]

    def settled(self, connection: psycopg.Connection[Any], after: int) -> set[int]:
        """Positions behind `after` with which the log itself is done: they wait here, or were given up."""
        rows = connection.execute(_SETTLED, {"consumer": self._consumer, "after": after}).fetchall()
        return {position for (position,) in rows}

    def record(self, connection: psycopg.Connection[Any], ended: Ended) -> None:
        """Write down how an attempt ended. What a person has redriven or discarded meanwhile stays so."""
        delivery, before = ended.delivery, ended.delivery.attempts
        values = {
            "consumer": self._consumer,
            "position": delivery.position,
            "before": before,
            "attempts": before + 1,
            "reason": ended.reason,
        }
        match ended.fate:
            case Fate.DONE:
                if delivery.retried:
                    connection.execute(_DONE, (self._consumer, delivery.position))
            case Fate.PUT_OFF:
                values |= {"attempts": before, "wait": PUT_OFF}
                connection.execute(_AGAIN if delivery.retried else _FIRST, values)
            case Fate.FAILED if before < len(self._tiers):
                wait = self._tiers[before]
                connection.execute(_AGAIN if delivery.retried else _FIRST, values | {"wait": wait})
                log.warning(
                    "event_retried",
                    consumer=self._consumer,
                    position=delivery.position,
                    reason=ended.reason,
                    seconds=wait.total_seconds(),
                )
            case Fate.FAILED | Fate.HOPELESS:
                connection.execute(_ADD_RETRIED_DEAD_LETTER if delivery.retried else _ADD_DEAD_LETTER, values)
                log.error(
                    "event_parked", consumer=self._consumer, position=delivery.position, reason=ended.reason
                )
