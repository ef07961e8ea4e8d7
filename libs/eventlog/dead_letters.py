"""Finds, redrives and discards dead letters and pending retries of all consumers (ADR 10).

Each action of an operator is recorded in `es.interventions` in the same transaction. The connection is that
of the owner of the database. A consumer with a generation in its name (`projector:3`) applies each stream in
order. Its service redrives and discards its dead letters, and calls `record`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import structlog
from psycopg.rows import class_row

from chassis.database import Connection

log = structlog.get_logger()


_LETTERS = """
WITH letters AS (
    SELECT consumer, position, stream_id, attempts, reason, since, NULL::timestamptz AS due_at,
           consumer LIKE 'projector:%%' AS in_order
    FROM es.dead_letters
    UNION ALL
    SELECT consumer, position, stream_id, attempts, reason, since, due_at, false FROM es.retries
), placed AS (
    SELECT *, CASE WHEN in_order THEN row_number() OVER w ELSE 1 END AS place,
           CASE WHEN in_order THEN count(*) OVER (PARTITION BY consumer, stream_id, in_order) - 1 ELSE 0 END
               AS followers
    FROM letters WINDOW w AS (PARTITION BY consumer, stream_id, in_order ORDER BY position)
)
SELECT p.consumer, p.position, CASE WHEN p.due_at IS NULL THEN 'dead' ELSE 'retry' END AS state, p.stream_id,
       e.type, s.account_id, p.attempts, p.reason, p.since, p.due_at, p.followers
FROM placed p
JOIN es.log l ON l.position = p.position
JOIN es.events e ON e.stream_id = l.stream_id AND e.version = l.version
JOIN es.streams s ON s.stream_id = l.stream_id
WHERE (p.place = 1 OR p.position = %(position)s)
  AND (%(consumer)s::text IS NULL OR p.consumer = %(consumer)s)
  AND (%(position)s::bigint IS NULL OR p.position = %(position)s)
  AND (%(stream)s::uuid IS NULL OR p.stream_id = %(stream)s)
ORDER BY p.consumer, p.position LIMIT %(limit)s
"""
_FOLLOWERS = """
SELECT p.position, e.type FROM es.dead_letters p
JOIN es.log l ON l.position = p.position
JOIN es.events e ON e.stream_id = l.stream_id AND e.version = l.version
WHERE p.consumer = %s AND p.stream_id = %s AND p.position > %s ORDER BY p.position
"""
_INTERVENTIONS = """
SELECT action, person, at, attempts, reason, remark FROM es.interventions
WHERE consumer = %s AND position = %s ORDER BY number
"""
_RECORD = """
INSERT INTO es.interventions
    (action, consumer, position, message, stream_id, attempts, reason, remark, person)
VALUES (%(action)s, %(consumer)s, %(position)s, %(message)s, %(stream_id)s, %(attempts)s, %(reason)s,
        %(remark)s, %(person)s)
"""
# All rows of a transaction get the same time, so they are retried in the order of the log.
_REDRIVE = """
WITH dead AS (
    DELETE FROM es.dead_letters WHERE consumer = %(consumer)s AND position = %(position)s RETURNING *
), due_now AS (
    UPDATE es.retries SET attempts = 0, due_at = now()
    WHERE consumer = %(consumer)s AND position = %(position)s RETURNING 1
)
INSERT INTO es.retries (consumer, position, stream_id, attempts, due_at, reason)
SELECT consumer, position, stream_id, 0, now(), reason FROM dead
"""
_DISCARD = """
WITH dead AS (DELETE FROM es.dead_letters WHERE consumer = %(consumer)s AND position = %(position)s)
DELETE FROM es.retries WHERE consumer = %(consumer)s AND position = %(position)s
"""
_TO_TRY = """
SELECT count(*) FROM es.retries WHERE consumer = %s AND position = ANY (%s) AND attempts = 0
"""
_FAILED = """
SELECT count(*) FROM (
    SELECT position FROM es.retries WHERE consumer = %(consumer)s AND attempts > 0
    UNION ALL SELECT position FROM es.dead_letters WHERE consumer = %(consumer)s) AS letters
WHERE position = ANY (%(positions)s)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A dead letter (`dead`), or a pending retry (`retry`) that is due at `due_at`.

    `followers` is the number of later events of its stream that wait for it.
    """

    consumer: str
    position: int
    state: Literal["dead", "retry"]
    stream_id: UUID
    type: str
    account_id: str
    attempts: int
    reason: str
    since: datetime
    due_at: datetime | None
    followers: int


@dataclass(frozen=True, slots=True)
class Intervention:
    """An action of an operator on a dead letter."""

    action: str
    person: str
    at: datetime
    attempts: int
    reason: str
    remark: str | None


@dataclass(frozen=True, slots=True)
class RedriveProgress:
    """Counts of redriven dead letters: not retried yet, failed again, and all."""

    waiting: int
    failed: int
    total: int


def find(
    connection: Connection,
    *,
    consumer: str | None = None,
    position: int | None = None,
    stream_id: UUID | None = None,
    limit: int | None = None,
) -> list[DeadLetter]:
    """The matching dead letters and retries, ordered by consumer and position.

    An event that waits for an earlier dead letter of its stream is only found by its position.
    """
    values = {"consumer": consumer, "position": position, "stream": stream_id, "limit": limit}
    with connection.cursor(row_factory=class_row(DeadLetter)) as cursor:
        return cursor.execute(_LETTERS, values).fetchall()


def followers(connection: Connection, letter: DeadLetter) -> list[tuple[int, str]]:
    """Position and type of the later events of its stream that wait for it."""
    if not letter.followers:
        return []
    return connection.execute(_FOLLOWERS, (letter.consumer, letter.stream_id, letter.position)).fetchall()


def interventions(connection: Connection, letter: DeadLetter) -> list[Intervention]:
    """The earlier actions on a dead letter, the oldest first."""
    with connection.cursor(row_factory=class_row(Intervention)) as cursor:
        return cursor.execute(_INTERVENTIONS, (letter.consumer, letter.position)).fetchall()


def redrive(connection: Connection, chosen: Sequence[DeadLetter], *, person: str) -> None:
    """Have the consumer retry these now, with the full number of attempts."""
    with connection.transaction():
        for letter in chosen:
            connection.execute(_REDRIVE, {"consumer": letter.consumer, "position": letter.position})
            record(connection, letter, "redriven", person=person, remark=None)


def discard(connection: Connection, letter: DeadLetter, *, person: str, remark: str) -> None:
    """Discard a dead letter permanently."""
    with connection.transaction():
        record(connection, letter, "discarded", person=person, remark=remark)
        connection.execute(_DISCARD, {"consumer": letter.consumer, "position": letter.position})


def record_discarded_message(
    connection: Connection, queue: str, message: str, *, reason: str, person: str, remark: str
) -> None:
    """Record that an operator discarded a rejected message of a queue."""
    values = {
        "action": "discarded",
        "consumer": queue,
        "position": None,
        "message": message,
        "stream_id": None,
    }
    given = {"attempts": 1, "reason": reason, "remark": remark, "person": person}
    connection.execute(_RECORD, values | given)
    log.info("dead_letter", action="discarded", consumer=queue, message=message, person=person, remark=remark)


def progress(connection: Connection, chosen: Sequence[DeadLetter]) -> RedriveProgress:
    """The progress of a consumer with redriven dead letters, which all belong to it."""
    consumer, positions = chosen[0].consumer, [letter.position for letter in chosen]
    waiting = connection.execute(_TO_TRY, (consumer, positions)).fetchone()
    failed = connection.execute(_FAILED, {"consumer": consumer, "positions": positions}).fetchone()
    return RedriveProgress(waiting[0] if waiting else 0, failed[0] if failed else 0, len(chosen))


def record(
    connection: Connection, letter: DeadLetter, action: str, *, person: str, remark: str | None
) -> None:
    """Record the action of an operator on a dead letter: `redriven` or `discarded`."""
    connection.execute(
        _RECORD,
        {
            "action": action,
            "consumer": letter.consumer,
            "position": letter.position,
            "message": None,
            "stream_id": letter.stream_id,
            "attempts": letter.attempts,
            "reason": letter.reason,
            "remark": remark,
            "person": person,
        },
    )
    log.info(
        "dead_letter",
        action=action,
        consumer=letter.consumer,
        position=letter.position,
        person=person,
        remark=remark,
    )
