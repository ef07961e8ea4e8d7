"""Memory growth of the processes of relay and projector while they handle a long log, with a broker."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psycopg

from bench.benchmark import Benchmark, Options, Row, Target
from bench.rebuild import fill
from bench.servers import postgres
from operations.migrate.preparation import prepare, prepare_keys
from secretstore.personal_keys import open_personal_keys
from tests.support.rabbitmq import RabbitMQ

NUMBER, QUICK_NUMBER = 1_000_000, 20_000
SAMPLE_SECONDS = 0.5
PURGE_EVERY = (
    20  # samples; the queue of the verifier has no consumer, and a full broker would block the relay
)
WAIT_SECONDS = 3600.0
PROCESSES = {"relay": ("credentials", "relay"), "projector": ("projector",)}


@contextmanager
def open_memory(options: Options) -> Iterator[list[Benchmark]]:
    """The relay assigns positions and publishes, the projector projects, from the first event to the last."""
    number = QUICK_NUMBER if options.quick else NUMBER
    with (
        postgres() as server,
        server.fresh() as url,
        RabbitMQ() as broker,
        tempfile.TemporaryDirectory(prefix="regcred-bench-") as home,
    ):
        prepare(url, broker.url)
        fill(url, number, open_personal_keys(prepare_keys(Path(home) / "keys")))
        rows = [
            Row(
                name=f"memory growth, {name}, {number:,} events",
                unit="MiB",
                ours=name,
                targets=(Target("ours", most=10),),
            )
            for name in PROCESSES
        ]
        yield [Benchmark(runs=[partial(_run, url, broker, Path(home), number)], rows=rows, once=True)]


def _run(url: str, broker: RabbitMQ, home: Path, number: int) -> Mapping[str, float]:
    """Return the growth after the first tenth of the log, when every process has used all of its code."""
    environment = {
        **os.environ,
        "REGCRED_HOME": str(home),
        "REGCRED_KEY_FILE": str(home / "keys"),
        "REGCRED_DATABASE_URL": url,
        "REGCRED_BROKER_URL": broker.url,
        "REGCRED_METRICS_LISTEN": "",
    }
    with (home / "log").open("wb") as log:
        processes = {
            name: subprocess.Popen([sys.executable, "-m", *command], env=environment, stderr=log, stdout=log)
            for name, command in PROCESSES.items()
        }
        try:
            samples = _samples(url, broker, {name: one.pid for name, one in processes.items()}, number)
        finally:
            for process in processes.values():
                process.send_signal(signal.SIGTERM)
            for process in processes.values():
                process.wait(30)
    return {name: _growth(durations, number) for name, durations in samples.items()}


def _samples(
    url: str, broker: RabbitMQ, pids: Mapping[str, int], number: int
) -> dict[str, list[tuple[int, float]]]:
    """Pairs (position, MiB) of each process until both have handled the log."""
    samples: dict[str, list[tuple[int, float]]] = {name: [] for name in pids}
    end = time.monotonic() + WAIT_SECONDS
    count = 0
    with psycopg.connect(url, autocommit=True) as connection:
        while True:
            row = connection.execute(
                "SELECT (SELECT published FROM es.relay),"
                " (SELECT position FROM rm.generations WHERE status = 'live')"
            ).fetchone()
            assert row is not None
            for (name, pid), position in zip(pids.items(), row, strict=True):
                samples[name].append((position, _resident(pid)))
            if min(row) >= number:
                return samples
            assert time.monotonic() < end, row
            count += 1
            if count % PURGE_EVERY == 0:
                broker.purge("regcred.verifier")
            time.sleep(SAMPLE_SECONDS)


def _resident(pid: int) -> float:
    """The current memory in use, in MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _growth(samples: list[tuple[int, float]], number: int) -> float:
    settled = [mib for position, mib in samples if position >= number // 10]
    return max(settled) - settled[0]
