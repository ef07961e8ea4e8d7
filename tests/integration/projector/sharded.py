"""A log of three accounts, and generations of it that were parted and that nobody builds."""

from typing import Any

from psycopg.conninfo import make_conninfo

from projector import generations, sharding
from projector.read_model import ReadModels
from projector.rebuilding import Progress
from shared.eventstore.log import read_log
from tests.integration.projector import lives
from tests.integration.projector.lives import Connection, Log

NAMES = ("acme", "globex", "initech")


def nobody(_progress: Progress) -> None:
    """Nobody watches."""


def a_life(number: int) -> list[Any]:
    return [
        lives.added(number, f"team {number}"),
        lives.succeeded(number, number),
        lives.renamed(number, f"crew {number}"),
        lives.restricted(number, "shop"),
        lives.issued(number, number, f"ghcr.io/acme/shop:{number % 7}"),
        lives.rotated(number, 2),
        *([lives.removed(number)] if number % 5 == 0 else []),
        lives.failed(number, 100_000 + number, version=2),
    ]


def account_of(payload: Any) -> str:
    return NAMES[payload.credential_id.int % len(NAMES)]


def fill(log: Log, credentials: int) -> int:
    """Lives in three accounts; one of acme's events waits, for nobody can read it."""
    numbers = range(1, credentials + 1)
    head = log.append_many([event for number in numbers for event in a_life(number)], account_of)
    poisoned = next(number for number in numbers if account_of(lives.added(number)) == "acme")
    log.append_raw(lives.stream_of(lives.added(poisoned)), "credential.dreamt", "{}")
    assert log.sequence() == head + 1
    return head + 1


def follow(projector: Connection) -> None:
    """What the projector's process does, until the end of the log."""
    models = ReadModels()
    position = models.checkpoint(projector)
    while events := read_log(projector, position, 500):
        position = models.take(projector, events)


def interrupted(projector: Connection, head: int) -> int:
    """A generation of two shards that nobody builds."""
    number = generations.create(make_conninfo(projector.info.dsn, options=""))
    sharding.create(projector, number, head, 2)
    return number


def positions(projector: Connection, number: int) -> list[int]:
    return [shard.position for shard in sharding.shards(projector, number)]


def parked(connection: Connection, number: int) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT position, stream_id, reason FROM es.parked WHERE consumer = %s ORDER BY position",
        (generations.consumer_of(number),),
    ).fetchall()
