"""Latency from an append to the read models, at a constant 200 events per second, with complete processes.

The loop is open: every event has a scheduled time, and its latency counts from that time, not from the time
of the append. It includes the append itself, and a delay of one event is visible in those after it.
"""

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import quantiles
from threading import Event, Thread
from typing import Any
from uuid import UUID

import httpx2
import psycopg

from bench.appenders import credential_changes
from bench.benchmark import Benchmark, Options, Row, Target
from bench.servers import UNLIMITED
from eventlog.storage import PersonalKeys
from secretstore.keyfile import KeyFile
from secretstore.personal_keys import open_personal_keys
from tests.support.rabbitmq import RabbitMQ
from tests.support.system import System, add_body
from tests.support.timing import waiting

RATE = 200  # events per second
SECONDS, QUICK_SECONDS = 20, 3
WARM_UP_SECONDS = 2  # of the same load, not measured
WRITERS = 8
CREDENTIALS = 400  # the verifier reads the stream of every change
POLL_SECONDS = 0.002  # interval of reads of the checkpoint of the read models, which limits the accuracy
Moments = Sequence[tuple[float, int]]  # times at which the read models reached a position


@contextmanager
def open_latency(options: Options) -> Iterator[list[Benchmark]]:
    """`regcred up` with and without a broker. Both run at the same time and are under load in turn."""
    seconds = QUICK_SECONDS if options.quick else SECONDS
    with ExitStack() as running:
        broker = running.enter_context(RabbitMQ())
        homes = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="regcred-bench-")))
        modes = {"log tail": {}, "RabbitMQ": {"REGCRED_BROKER_URL": broker.url}}
        runs, rows = [], []
        for mode, environment in modes.items():
            system = running.enter_context(System(homes / mode.replace(" ", "-"), environment | UNLIMITED))
            runs.append(partial(_run, mode, system, _add_credentials(system), seconds))
            rows += [
                Row(name=f"append to projected, {mode}, p50", unit="ms", ours=f"{mode} p50"),
                Row(
                    name=f"append to projected, {mode}, p99",
                    unit="ms",
                    ours=f"{mode} p99",
                    targets=(Target("ours", most=50),),
                ),
            ]
        yield [Benchmark(runs=runs, rows=rows)]


_Versions = dict[UUID, int]  # of the stream of each credential; used by all runs


def _add_credentials(system: System) -> _Versions:
    """Add credentials over HTTP. Their logins fail at once, because the address is not allowed."""
    with system.client() as client:
        responses = [
            client.post(
                "/v1/accounts/acme/credentials",
                json=add_body(f"team-{number}", "127.0.0.1:9", "octo", "secret"),
                headers={"Idempotency-Key": f"add-{number}"},
            )
            for number in range(CREDENTIALS)
        ]
        versions = {UUID(_json(response)["id"]): 1 for response in responses}
        waiting(lambda: not _pending(client), "every login has ended", seconds=60)
    return versions


def _pending(client: httpx2.Client) -> list[Any]:
    listed = client.get("/v1/accounts/acme/credentials", params={"status": "pending"})
    items: list[Any] = _json(listed)["items"]
    return items


def _json(response: httpx2.Response) -> dict[str, Any]:
    assert response.is_success, response.text
    found: dict[str, Any] = response.json()
    return found


def _run(mode: str, system: System, versions: _Versions, seconds: int) -> Mapping[str, float]:
    url = system.database_url()
    personal = open_personal_keys(KeyFile.load(system.home / "keys.json"))
    first = WARM_UP_SECONDS * RATE
    number = first + seconds * RATE
    appended = _append_at_rate(url, personal, versions, number)
    milliseconds = sorted(1000 * duration for duration in appended[first:])
    cuts = quantiles(milliseconds, n=100)
    return {f"{mode} p50": cuts[49], f"{mode} p99": cuts[98]}


def _append_at_rate(url: str, personal: PersonalKeys, versions: _Versions, number: int) -> list[float]:
    """Append `number` events, and return the seconds from the scheduled time of each to its projection."""
    moments: list[tuple[float, int]] = []
    stop = Event()
    observer = Thread(target=_observe, args=(url, moments, stop))
    observer.start()
    change = credential_changes(url, personal, size=WRITERS)
    credentials = list(versions)
    started = time.monotonic() + 0.5
    due = [started + place / RATE for place in range(number)]

    def write(writer: int) -> list[tuple[int, UUID, int]]:
        """Append the events of one writer, which has its own credentials and may be late."""
        written = []
        for place in range(writer, number, WRITERS):
            time.sleep(max(0.0, due[place] - time.monotonic()))
            credential_id = credentials[place % len(credentials)]
            change(credential_id, versions[credential_id])
            versions[credential_id] += 1
            written.append((place, credential_id, versions[credential_id]))
        return written

    with ThreadPoolExecutor(WRITERS) as writers:
        turns = [writers.submit(write, writer) for writer in range(WRITERS)]
        written = [one for turn in turns for one in turn.result()]
    with psycopg.connect(url, autocommit=True) as connection:
        end = waiting(lambda: _positions(connection, written), "every event has a position") or {}
    waiting(
        lambda: moments and moments[-1][1] >= max(end.values()), "the read models have caught up", seconds=60
    )
    stop.set()
    observer.join()
    return _latencies(due, end, moments)


def _positions(
    connection: psycopg.Connection[Any], written: Sequence[tuple[int, UUID, int]]
) -> dict[int, int] | None:
    """The position of each event, by its index in the load. `None` while an event has no position."""
    rows = connection.execute(
        "SELECT w.place, l.position"
        " FROM unnest(%s::int[], %s::uuid[], %s::bigint[]) AS w (place, stream_id, version)"
        " JOIN es.log l USING (stream_id, version)",
        [list(column) for column in zip(*written, strict=True)],
    ).fetchall()
    return dict(rows) if len(rows) == len(written) else None


def _observe(url: str, moments: list[tuple[float, int]], stop: Event) -> None:
    """Record the times at which the checkpoint of the live read models changes."""
    known = -1
    with psycopg.connect(url, autocommit=True) as connection:
        while not stop.is_set():
            row = connection.execute(
                "SELECT position FROM rm.generations WHERE status = 'live'", prepare=True
            ).fetchone()
            if row and row[0] != known:
                known = row[0]
                moments.append((time.monotonic(), known))
            time.sleep(POLL_SECONDS)


def _latencies(due: Sequence[float], positions: Mapping[int, int], moments: Moments) -> list[float]:
    """Seconds from the scheduled time of each event until its position was reached, by index in the load."""
    latencies = [0.0] * len(due)
    observed = iter(moments)
    at, seen = next(observed)
    for position, place in sorted((position, place) for place, position in positions.items()):
        while seen < position:
            at, seen = next(observed)
        latencies[place] = at - due[place]
    return latencies
