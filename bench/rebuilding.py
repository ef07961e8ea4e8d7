"""Events per second of a rebuild: ours, the peer's projection from 0, and only reading the same rows."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import psycopg

from bench.figures import Benchmark, Options, Row, Target
from bench.peer import fill_peer, project
from bench.personal import fresh_keys
from bench.rebuild import fill, number_all, reading
from bench.servers import Postgres, postgres
from projector.generations import drop
from projector.rebuilding import Progress, rebuild
from shared.eventstore.migrate import migrate
from shared.eventstore.personal_keys import PersonalKeys

NUMBERS, QUICK_NUMBERS = (100_000, 1_000_000), (5_000,)
PEER_AGGREGATES, QUICK_PEER_AGGREGATES = 100, 10
PEER_EVENTS = (
    100  # of each; the peer commits every event, so that a million would take the better part of an hour
)


@contextmanager
def open_rebuild(options: Options) -> Iterator[Iterator[Benchmark]]:
    """Logs are filled anew for each size; every rebuild makes a generation, which is dropped again."""
    aggregates = QUICK_PEER_AGGREGATES if options.quick else PEER_AGGREGATES
    with postgres() as server:
        yield (
            benchmark
            for number in (QUICK_NUMBERS if options.quick else NUMBERS)
            for benchmark in _of(server, number, aggregates)
        )


def _of(server: Postgres, number: int, aggregates: int) -> Iterator[Benchmark]:
    with server.fresh() as url:
        migrate(url)
        personal = fresh_keys()
        fill(url, number, personal)
        number_all(url)
        row = Row(
            name=f"rebuild, {number:,} events",
            unit="events/s",
            ours="rebuild",
            peer="peer",
            limit="COPY",
            targets=(Target("ours", least=20_000),),
        )
        yield Benchmark(
            runs=[
                partial(_ours, url, number, personal),
                partial(_peer, server, aggregates),
                partial(_copy, url, number),
            ],
            rows=[row],
        )


def _ours(url: str, number: int, personal: PersonalKeys) -> Mapping[str, float]:
    began = time.monotonic()
    generation = rebuild(url, resume=False, switch=False, report=_ignore, personal=personal)
    seconds = time.monotonic() - began
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT position FROM rm.generations WHERE generation = %s", (generation,)
        ).fetchone()
        assert row == (number,), row
        drop(connection, generation)
    return {"rebuild": number / seconds}


def _ignore(_progress: Progress) -> None:
    """Nobody watches."""


def _peer(server: Postgres, aggregates: int) -> Mapping[str, float]:
    with server.fresh() as url:
        fill_peer(url, aggregates, PEER_EVENTS)
        began = time.monotonic()
        number = project(url)
        return {"peer": number / (time.monotonic() - began)}


def _copy(url: str, number: int) -> Mapping[str, float]:
    return {"COPY": number / reading(url)}
