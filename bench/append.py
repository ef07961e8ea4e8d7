"""Appends per second of regcred, of the peer and of bare inserts of the same bytes, with 1, 8 and 32 writers.

Writers are processes, so that they share only PostgreSQL. The last benchmark has 32 threads of one process,
as in a service. They also share the interpreter.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import psycopg

from bench import appenders
from bench.benchmark import Benchmark, Options, Row, Run, Target
from bench.peer import prepare_peer
from bench.servers import Postgres, postgres
from bench.writers import Appender, write, write_in_threads
from operations.migrate.migrations import migrate

WRITERS = (1, 8, 32)
SECONDS, QUICK_SECONDS = 5.0, 0.5
LEAST_RATE = 1000  # events a second: five times the peak of a large platform (docs/benchmarks.md)

Write = Callable[..., Mapping[str, float]]
_OURS = {
    "es": appenders.append_events,
    "credentials": appenders.change_credentials,
    "verifier": appenders.record_verifications,
}


@contextmanager
def open_append(options: Options) -> Iterator[list[Benchmark]]:
    """Measure `es.append` itself and the functions of the services, which also write a row of their state."""
    seconds = QUICK_SECONDS if options.quick else SECONDS
    with postgres() as server:
        yield [
            *(_at(server, writers, seconds, write) for writers in WRITERS),
            _at(server, WRITERS[-1], seconds, write_in_threads),
        ]


def highest_rate(server: Postgres, seconds: float) -> Mapping[str, float]:
    """Return the highest rate of all ways to append, with the most writers, as the measurement `append`."""
    rates = [
        _run(server, name, appender, migrate, by, writers=WRITERS[-1], seconds=seconds)[f"{name} rate"]
        for name, appender in _OURS.items()
        for by in (write, write_in_threads)
    ]
    return {"append": max(rates)}


def _at(server: Postgres, writers: int, seconds: float, by: Write) -> Benchmark:
    def run(name: str, appender: Appender, prepare: Callable[[str], object]) -> Run:
        return partial(_run, server, name, appender, prepare, by, writers=writers, seconds=seconds)

    kind = "thread" if by is write_in_threads else "writer"

    return Benchmark(
        runs=[
            *(run(name, appender, migrate) for name, appender in _OURS.items()),
            run("peer", appenders.peer, prepare_peer),
            run("insert", appenders.insert, _bare),
        ],
        rows=[
            Row(
                name=f"{name}.append, {writers} {kind}{'s' * (writers > 1)}",
                unit="events/s",
                ours=f"{name} rate",
                peer="peer rate",
                limit="insert rate",
                targets=(Target("ours", least=LEAST_RATE),) if writers == WRITERS[-1] else (),
            )
            for name in _OURS
        ],
    )


def _run(
    server: Postgres,
    name: str,
    appender: Appender,
    prepare: Callable[[str], object],
    by: Write,
    *,
    writers: int,
    seconds: float,
) -> Mapping[str, float]:
    with server.fresh() as url:
        prepare(url)
        measurements = by(appender, url, writers=writers, seconds=seconds)
    return {f"{name} {measured}": value for measured, value in measurements.items()}


def _bare(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(appenders.BARE_TABLE)
