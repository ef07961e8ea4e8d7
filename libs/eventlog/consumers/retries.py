"""Schedules retries of events (`es.retries`), and creates dead letters (`es.dead_letters`): ADR 10.

Times are those of the database, so that the next leader uses the same clock.
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

POSTPONED_FOR = timedelta(minutes=1)  # while a dependency of the event is unavailable

_DUE = """
SELECT position, attempts FROM es.retries
WHERE consumer = %s AND due_at <= clock_timestamp() AND position <> ALL (%s)
ORDER BY due_at, position LIMIT %s
"""
# Includes discarded events. The checkpoint may still be before them, so they would be delivered again.
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
WITH deleted AS (
    DELETE FROM es.retries WHERE consumer = %(consumer)s AND position = %(position)s AND attempts = %(before)s
    RETURNING consumer, position, stream_id)
INSERT INTO es.dead_letters (consumer, position, stream_id, attempts, reason)
SELECT consumer, position, stream_id, %(attempts)s, left(%(reason)s, 500) FROM deleted ON CONFLICT DO NOTHING
"""
_DONE = "DELETE FROM es.retries WHERE consumer = %s AND position = %s"


class DeliveryOutcome(Enum):
    """The outcome of one attempt. The values are published in log lines."""

    DONE = "done"
    FAILED = "failed"  # it is retried while there are tiers
    NOT_RETRIABLE = "parked"  # a later attempt would fail in the same way
    POSTPONED = "put_off"  # a dependency is unavailable; the attempt is not counted


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event to be handled, after `attempts` failures. `retried` means that `es.retries` has it."""

    event: StoredEvent
    attempts: int = 0
    retried: bool = False

    @property
    def position(self) -> int:
        if self.event.position is None:
            raise ValueError("the event has no position; only events of the log are delivered")
        return self.event.position


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """The result of one attempt. `reason` describes a failure and contains no secret."""

    delivery: Delivery
    outcome: DeliveryOutcome
    reason: str = ""


class Retries:
    """The retries of one consumer. `tiers` are the delays after the first failure, the second, and so on."""

    def __init__(
        self, consumer: str, tiers: Sequence[timedelta], personal: PersonalKeys | None = None
    ) -> None:
        self._consumer = consumer
        self._personal = personal
        self._tiers = tuple(tiers)

    def due(
        self, connection: psycopg.Connection[Any], limit: int, *, excluding: Collection[int]
    ) -> list[Delivery]:
        """Up to `limit` due retries, the longest due first, without those at positions `excluding`."""
        rows = connection.execute(_DUE, (self._consumer, list(excluding), limit)).fetchall()
        return [
            Delivery(event, attempts, retried=True)
            for position, attempts in rows
            for event in read_log(connection, position - 1, 1, personal=self._personal)
        ]

    def settled(self, connection: psycopg.Connection[Any], after: int) -> set[int]:
        """The positions after `after` that are not to be delivered from the log.

        These are the positions of retries, dead letters and discarded events.
        """
        rows = connection.execute(_SETTLED, {"consumer": self._consumer, "after": after}).fetchall()
        return {position for (position,) in rows}

    def record(self, connection: psycopg.Connection[Any], result: DeliveryResult) -> None:
        """Store the result of an attempt. A redrive or discard that an operator did in the meantime stays."""
        delivery, before = result.delivery, result.delivery.attempts
        values = {
            "consumer": self._consumer,
            "position": delivery.position,
            "before": before,
            "attempts": before + 1,
            "reason": result.reason,
        }
        match result.outcome:
            case DeliveryOutcome.DONE:
                if delivery.retried:
                    connection.execute(_DONE, (self._consumer, delivery.position))
            case DeliveryOutcome.POSTPONED:
                values |= {"attempts": before, "wait": POSTPONED_FOR}
                connection.execute(_AGAIN if delivery.retried else _FIRST, values)
            case DeliveryOutcome.FAILED if before < len(self._tiers):
                wait = self._tiers[before]
                connection.execute(_AGAIN if delivery.retried else _FIRST, values | {"wait": wait})
                log.warning(
                    "event_retried",
                    consumer=self._consumer,
                    position=delivery.position,
                    reason=result.reason,
                    seconds=wait.total_seconds(),
                )
            case DeliveryOutcome.FAILED | DeliveryOutcome.NOT_RETRIABLE:
                connection.execute(_ADD_RETRIED_DEAD_LETTER if delivery.retried else _ADD_DEAD_LETTER, values)
                log.error(
                    "event_parked", consumer=self._consumer, position=delivery.position, reason=result.reason
                )
