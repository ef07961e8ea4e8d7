"""Shards of a generation that several processes build at once: whose events each has, and how far it is.

A shard has the events of some accounts up to the position at which the log ended then. An event changes rows
of its stream's account and no others (`projector.projections`), so that shards never write the same rows, but
for the spans of the trail: of those the earliest and the latest moment count, in whatever order they come.
"""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from projector.applying import Locked

Connection = psycopg.Connection[Any]

_WEIGHTS = "SELECT account_id, sum(version)::bigint FROM es.streams GROUP BY account_id"
_ADD = "INSERT INTO rm.rebuild_shards (generation, shard, until, accounts) VALUES (%s, %s, %s, %s)"
_SHARDS = """
SELECT generation, shard, until, position, accounts FROM rm.rebuild_shards
WHERE generation = %s ORDER BY shard
"""
_LOCK = """
SELECT position, complete = position FROM rm.rebuild_shards WHERE generation = %s AND shard = %s FOR UPDATE
"""
_GO_BACK = "SELECT rm.go_back(%s, %s)"
_DONE = """
UPDATE rm.rebuild_shards SET position = until, complete = until
WHERE generation = %s AND shard = %s AND complete = position
"""
_NOTE = """
UPDATE rm.generations g SET position = s.complete, updated_at = clock_timestamp()
FROM (SELECT min(complete) AS complete FROM rm.rebuild_shards WHERE generation = %(generation)s) s
WHERE g.generation = %(generation)s AND g.position < s.complete
"""
_APPLIED = "SELECT coalesce(sum(applied), 0)::bigint FROM rm.rebuild_shards WHERE generation = %s"
_JOIN = "DELETE FROM rm.rebuild_shards WHERE generation = %s AND complete = until"


class ShardGone(Exception):
    """The generation was dropped, or its shards are joined: who works on one has been left behind."""

    def __init__(self, generation: int, number: int) -> None:
        super().__init__(f"generation {generation} has no shard {number} any more")


class IncompleteShards(Exception):
    """The log has positions whose event is not where they say."""

    def __init__(self, generation: int, applied: int, until: int) -> None:
        super().__init__(
            f"generation {generation} has {applied} of {until} events;"
            " `regcred log verify` finds what is missing"
        )


@dataclass(frozen=True, slots=True)
class Shard:
    """The events of `accounts` up to `until`, of which those up to `position` are applied. Not all of that is
    for good while a process works: see `go_back`.
    """

    generation: int
    number: int
    until: int
    position: int
    accounts: Sequence[str]


def parted(weights: Mapping[str, int], number: int) -> list[list[str]]:
    """Accounts in so many parts of about the same weight, none empty: there may be fewer. Pure.

    The heaviest first, each to the part that is lightest then: at most a third above the best that there is.
    """
    parts: list[list[str]] = [[] for _ in range(min(number, len(weights)))]
    lightest = [(0, place) for place in range(len(parts))]
    for account in sorted(weights, key=lambda account: (-weights[account], account)):
        weight, place = lightest[0]
        parts[place].append(account)
        heapq.heapreplace(lightest, (weight + weights[account], place))
    return parts


def create(connection: Connection, generation: int, until: int, number: int) -> None:
    """Part a new generation into up to `number` shards; into none where that would be one: all of the log is
    one account's.
    """
    weights: dict[str, int] = dict(connection.execute(_WEIGHTS).fetchall())
    parts = parted(weights, number)
    if len(parts) > 1:
        with connection.transaction():
            for shard, accounts in enumerate(parts, start=1):
                connection.execute(_ADD, (generation, shard, until, accounts))


def shards(connection: Connection, generation: int) -> list[Shard]:
    """Those of a generation; none once they are joined."""
    return [Shard(*row) for row in connection.execute(_SHARDS, (generation,)).fetchall()]


class ShardLock:
    """Locks a shard's checkpoint, for `applying.Application`; it never goes back while one process works."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._position = shard.position

    def __call__(self, connection: Connection) -> Locked:
        """Raises `ShardGone`."""
        shard = self._shard
        row = connection.execute(_LOCK, (shard.generation, shard.number)).fetchone()
        if row is None or row[0] < self._position:
            raise ShardGone(shard.generation, shard.number)
        self._position = row[0]
        return Locked(shard.generation, self._position, shard.number, whole=row[1])


def go_back(connection: Connection, shard: Shard) -> Shard:
    """The shard at the position up to which its tables are complete: what a process has left that did not
    come to write all is removed.

    Raises:
        ShardGone
    """
    connection.execute(_GO_BACK, (shard.generation, shard.number))
    for found in shards(connection, shard.generation):
        if found.number == shard.number:
            return found
    raise ShardGone(shard.generation, shard.number)


def finish(connection: Connection, shard: Shard) -> None:
    """There is no more event of the shard, whose tables are complete: it is as far as the log was.

    Raises:
        ShardGone
    """
    if not connection.execute(_DONE, (shard.generation, shard.number)).rowcount:
        raise ShardGone(shard.generation, shard.number)


def note(connection: Connection, generation: int) -> int:
    """How many events all shards have applied. The generation's checkpoint follows the one that is complete
    least far: all up to there is applied.
    """
    connection.execute(_NOTE, {"generation": generation})
    row = connection.execute(_APPLIED, (generation,)).fetchone()
    return int(row[0]) if row else 0


def join(connection: Connection, generation: int) -> None:
    """All shards are finished: from now on the generation is one, at the position that they have come to.

    Raises:
        RuntimeError: one is not.
        IncompleteShards: together they have not as many events as there are positions.
    """
    with connection.transaction():
        found = shards(connection, generation)
        applied = note(connection, generation)
        if connection.execute(_JOIN, (generation,)).rowcount != len(found):
            raise RuntimeError(f"a shard of generation {generation} is not finished")
        if found and applied != found[0].until:
            raise IncompleteShards(generation, applied, found[0].until)
