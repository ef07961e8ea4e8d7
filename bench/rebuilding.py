"""Events per second of a rebuild: ours, the peer's projection from 0, and only reading the same rows."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psycopg

import regcred
from bench.figures import Benchmark, Options, Row, Target
from bench.peer import fill_peer, project
from bench.personal import fresh_key_file
from bench.rebuild import fill, number_all, reading
from bench.servers import Postgres, postgres
from projector.generations import drop
from regcred.migrations import migrate
from shared.personal.opening import open_key_file

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
    with server.fresh() as url, fresh_key_file() as key_file:
        migrate(url)
        fill(url, number, open_key_file(key_file))
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
                partial(_ours, url, number, key_file),
                partial(_peer, server, aggregates),
                partial(_copy, url, number),
            ],
            rows=[row],
        )


def _ours(url: str, number: int, key_file: Path) -> Mapping[str, float]:
    """As an operator does it: its processes import what that command does, not all benchmarks. The time is
    what it says itself, without its own start, and with theirs.
    """
    done = subprocess.run(
        [sys.executable, "-m", "regcred", "projections", "rebuild", "--no-switch", "--json"],
        env={
            **os.environ,
            "PYTHONPATH": str(Path(regcred.__file__).parents[1]),
            "REGCRED_DATABASE_URL": url,
            "REGCRED_KEY_FILE": str(key_file),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=True,
    )
    built = json.loads(done.stdout)
    assert built["position"] == built["events"] == number, built
    with psycopg.connect(url, autocommit=True) as connection:
        drop(connection, built["generation"])
    return {"rebuild": number / built["seconds"]}


def _peer(server: Postgres, aggregates: int) -> Mapping[str, float]:
    with server.fresh() as url:
        fill_peer(url, aggregates, PEER_EVENTS)
        began = time.monotonic()
        number = project(url)
        return {"peer": number / (time.monotonic() - began)}


def _copy(url: str, number: int) -> Mapping[str, float]:
    return {"COPY": number / reading(url)}
