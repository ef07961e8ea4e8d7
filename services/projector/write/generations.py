"""Generations of the read models: list, create and drop them (ADR 9)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any, Literal
from uuid import UUID

import psycopg
from psycopg import errors as pg
from psycopg import sql

from projector.write.indexes import create_first_indexes
from projector.write.lag import Lag, lag_behind

Connection = psycopg.Connection[Any]
Status = Literal["building", "live", "retired"]

RETIRED_GRACE = timedelta(days=7)  # in which an operator can switch back to a retired generation
_LOCK = (7_204, 1)  # advisory lock of a rebuild, switch or drop
_DROP_LOCK_MILLISECONDS = 500


class AdministrationInProgress(Exception):
    """Another process rebuilds, switches or drops a generation now."""

    def __init__(self) -> None:
        super().__init__("another rebuild, switch or drop is running")


class UnknownGeneration(Exception):
    def __init__(self, generation: int) -> None:
        super().__init__(f"there is no generation {generation}")


class GenerationInUse(Exception):
    """The status of a generation does not allow the operation, for example to drop the live generation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One complete set of read models.

    `size` is in bytes and includes the indexes. A generation is degraded while it has dead letters.
    `dropped_after` is the time after which the projector drops a retired generation.
    """

    generation: int
    status: Status
    position: int
    lag: Lag
    dead_letters: int
    size: int
    created_at: datetime
    dropped_after: datetime | None = None

    @property
    def degraded(self) -> bool:
        return self.dead_letters > 0


def consumer_of(generation: int) -> str:
    """The consumer name of a generation in `es.dead_letters`."""
    return f"projector:{generation}"


_GENERATIONS = """
SELECT g.generation, g.status, g.position, g.created_at,
       (SELECT count(*) FROM es.dead_letters p WHERE p.consumer = 'projector:' || g.generation),
       (SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'rm_g' || g.generation AND c.relkind = 'r'),
       CASE g.status WHEN 'retired' THEN g.updated_at + %s END
FROM rm.generations g ORDER BY g.generation
"""
_OWNER = "SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'rm'"
_NEXT = "SELECT coalesce(max(generation), 0) + 1 FROM rm.generations"
_PAST_GRACE = """
SELECT generation FROM rm.generations WHERE status = 'retired' AND updated_at + %s < clock_timestamp()
ORDER BY generation
"""
_HAS_EVENT = """
SELECT EXISTS (
    SELECT FROM es.log l JOIN rm.generations g ON g.status = 'live' AND g.position >= l.position
    JOIN es.streams s ON s.stream_id = l.stream_id
    WHERE l.stream_id = %(stream)s AND l.version = %(version)s
      AND (%(account)s::text IS NULL OR s.account_id = %(account)s)
      AND NOT EXISTS (SELECT FROM es.dead_letters p
                      WHERE p.position = l.position AND p.consumer = 'projector:' || g.generation))
"""

_IS_RECORDED = """
SELECT CASE WHEN pg_is_in_recovery() THEN NULL ELSE EXISTS (
    SELECT FROM es.streams s WHERE s.stream_id = %(stream)s AND s.version >= %(version)s AND %(version)s > 0
      AND (%(account)s::text IS NULL OR s.account_id = %(account)s)) END
"""


def generations(connection: Connection) -> list[Generation]:
    """All generations, the oldest first."""
    return [
        Generation(
            generation=generation,
            status=status,
            position=position,
            created_at=created_at,
            dead_letters=dead_letters,
            size=size,
            lag=lag_behind(connection, position),
            dropped_after=dropped_after,
        )
        for (
            generation,
            status,
            position,
            created_at,
            dead_letters,
            size,
            dropped_after,
        ) in connection.execute(_GENERATIONS, (RETIRED_GRACE,)).fetchall()
    ]


def generation(connection: Connection, number: int) -> Generation:
    """The generation with this number. Raises `UnknownGeneration`."""
    for found in generations(connection):
        if found.generation == number:
            return found
    raise UnknownGeneration(number)


def live_position(connection: Connection) -> int:
    """The checkpoint of the live generation."""
    row = connection.execute("SELECT position FROM rm.generations WHERE status = 'live'").fetchone()
    return row[0] if row else 0


def has_event(connection: Connection, account_id: str | None, stream_id: UUID, version: int) -> bool:
    """Whether the live generation has applied an event of the account (`None`: of any account).

    Its checkpoint is then at or after the event, and the event is not a dead letter.

    Positions are dense and a checkpoint covers every earlier event, so the comparison is sufficient.
    """
    row = connection.execute(
        _HAS_EVENT, {"stream": stream_id, "version": version, "account": account_id}
    ).fetchone()
    return bool(row and row[0])


def is_recorded(connection: Connection, account_id: str | None, stream_id: UUID, version: int) -> bool | None:
    """Whether the log has an event of the account (`None`: of any account).

    The result is `None` on a standby, which may not have it yet.
    """
    row = connection.execute(
        _IS_RECORDED, {"stream": stream_id, "version": version, "account": account_id}
    ).fetchone()
    return row[0] if row else None


@contextmanager
def administration(connection: Connection) -> Iterator[None]:
    """Exclude other rebuilds, switches and drops. The lock ends with the connection.

    Raises:
        AdministrationInProgress: another process holds the lock.
    """
    row = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", _LOCK).fetchone()
    if not row or not row[0]:
        raise AdministrationInProgress
    try:
        yield
    finally:
        if not connection.broken:
            connection.execute("SELECT pg_advisory_unlock(%s, %s)", _LOCK)


def create(database_url: str) -> int:
    """Create an empty generation with status `building`; returns its number.

    It has none of the indexes of `create_indexes`.

    The URL has the login that runs migrations, or a superuser.

    Raises:
        GenerationInUse: another generation is being built.
    """
    try:
        with _owner(database_url) as owner:
            return _create(owner)
    except pg.UniqueViolation:
        raise GenerationInUse("another generation is being built: resume or drop it") from None


def create_first(database_url: str) -> None:
    """Create the live generation of a new database, empty and with all indexes.

    Safe to repeat and to run concurrently.
    """
    with _owner(database_url) as owner:
        if not owner.execute("SELECT FROM rm.generations LIMIT 1").rowcount:
            owner.execute("LOCK TABLE rm.generations IN SHARE ROW EXCLUSIVE MODE")
            if not owner.execute("SELECT FROM rm.generations LIMIT 1").rowcount:
                number = _create(owner)
                create_first_indexes(owner, number)
                owner.execute("SELECT rm.go_live(%s)", (number,))


def _owner(database_url: str) -> Connection:
    return psycopg.connect(database_url, application_name="regcred:generations", connect_timeout=5)


def _create(owner: Connection) -> int:
    """Create a generation in this transaction. It has the owner of `rm`, as `rm.drop_generation` requires."""
    (role,) = owner.execute(_OWNER).fetchone() or ("",)
    owner.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))
    (number,) = owner.execute(_NEXT).fetchone() or (1,)
    owner.execute("INSERT INTO rm.generations (generation) VALUES (%s)", (number,))
    schema = sql.Identifier(f"rm_g{number}")
    owner.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
    owner.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO regcred_projector").format(schema))
    owner.execute(sql.SQL("SET LOCAL search_path TO {}").format(schema))
    owner.execute((files("projector") / "generation" / "tables.sql").read_bytes())
    return int(number)


def drop(connection: Connection, number: int) -> None:
    """Remove a generation that is retired or only partly built.

    Raises:
        UnknownGeneration: there is no generation with this number.
        GenerationInUse: the generation is live.
        AdministrationInProgress: another process rebuilds, switches or drops a generation now.
    """
    with administration(connection):
        if generation(connection, number).status == "live":
            raise GenerationInUse(f"generation {number} is live: switch to another one first")
        with connection.transaction():
            connection.execute("SET LOCAL ROLE NONE")  # the role of the projector drops less
            connection.execute("SELECT rm.drop_generation(%s)", (number,))


def drop_retired(connection: Connection) -> list[int]:
    """Drop the generations that were retired longer than `RETIRED_GRACE` ago; returns their numbers.

    It does nothing while another process rebuilds, switches or drops a generation.
    """
    dropped: list[int] = []
    try:
        with administration(connection):
            for (number,) in connection.execute(_PAST_GRACE, (RETIRED_GRACE,)).fetchall():
                with connection.transaction():
                    connection.execute(f"SET LOCAL lock_timeout = '{_DROP_LOCK_MILLISECONDS}ms'")
                    connection.execute("SELECT rm.drop_generation(%s)", (number,))
                dropped.append(number)
    except AdministrationInProgress:
        pass
    return dropped
