"""Settings of a process that builds a generation: connections, batch size, and the Python interpreter."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

Connection = psycopg.Connection[Any]

ROLE = "regcred_projector"
# While a transaction writes, events that are committed get no positions (ADR 2). A batch of this size takes
# about a seventh of a second. With half the size, a rebuild takes up to a twelfth longer.
BATCH = 5000
_SWITCH_INTERVAL_SECONDS = 0.001


@contextmanager
def connect(database_url: str) -> Iterator[Connection]:
    """A connection for building, with asynchronous commits.

    After a crash, rows and checkpoint are lost together or not at all. The switch commits synchronously, and
    everything before it with it.
    """
    with psycopg.connect(
        database_url,
        autocommit=True,
        options=f"-c role={ROLE} -c idle_in_transaction_session_timeout=10s"
        " -c synchronous_commit=off -c max_parallel_workers_per_gather=0",
        application_name=f"{ROLE}:projections",
        connect_timeout=5,
    ) as connection:
        yield connection


@contextmanager
def for_throughput() -> Iterator[None]:
    """Configure the interpreter for a process that only builds.

    The garbage collector is off: events, changes and rows have no cycles, so reference counting frees them.
    Looking for cycles would take a third of the time. The switch interval of threads is short: the writing
    thread has little to do each time the database accepts more data, and would wait 5 ms for the reading
    thread each time.
    """
    was_enabled, interval = gc.isenabled(), sys.getswitchinterval()
    gc.disable()
    sys.setswitchinterval(_SWITCH_INTERVAL_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        if was_enabled:
            gc.enable()
