"""Duration and processor time of a rebuild of the read models."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psycopg

from bench.benchmark import Benchmark, Options, Row, Target
from bench.personal import fresh_key_file
from bench.rebuild import assign_positions, fill
from bench.servers import postgres
from operations.migrate.migrations import migrate
from projector.write.generations import drop
from secretstore.keyfile import KeyFile
from secretstore.personal_keys import open_personal_keys

NUMBER, QUICK_NUMBER = 1_000_000, 5_000
MOST_SECONDS = 120.0  # for a million events, on two cores


@contextmanager
def open_rebuild(options: Options) -> Iterator[list[Benchmark]]:
    """Rebuilds from one log. Every rebuild builds a generation, which is dropped afterwards."""
    number = QUICK_NUMBER if options.quick else NUMBER
    with postgres() as server, server.fresh() as url, fresh_key_file() as key_file:
        migrate(url)
        fill(url, number, open_personal_keys(KeyFile.load(key_file)))
        assign_positions(url)
        rows = [
            Row(
                name=f"rebuild, {number:,} events",
                unit="s",
                ours="seconds",
                targets=(Target("ours", most=MOST_SECONDS),),
            ),
            Row(name="the same, processor time of its process", unit="s", ours="processor"),
        ]
        yield [Benchmark(runs=[partial(_rebuild, url, number, key_file)], rows=rows)]


def _rebuild(url: str, number: int, key_file: Path) -> Mapping[str, float]:
    """Run the command of the operator. Its own output has the seconds, without the start of the process."""
    before = _children()
    done = subprocess.run(
        [sys.executable, "-m", "regcred", "projections", "rebuild", "--no-switch", "--json"],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "REGCRED_DATABASE_URL": url,
            "REGCRED_KEY_FILE": str(key_file),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=True,
    )
    processor = _children() - before
    built = json.loads(done.stdout)
    assert built["position"] == built["events"] == number, built
    with psycopg.connect(url, autocommit=True) as connection:
        drop(connection, built["generation"])
    return {"seconds": built["seconds"], "processor": processor}


def _children() -> float:
    """The processor time of all ended child processes, in seconds."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
