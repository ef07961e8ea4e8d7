"""How a process builds a generation: its connections, the size of its batches, how it runs meanwhile."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

Connection = psycopg.Connection[Any]

ROLE = "regcred_projector"
# A transaction that writes holds back the positions of all that commit meanwhile (ADR 2): a batch takes
# about a seventh of a second. With half of that a rebuild takes up to a twelfth longer.
BATCH = 5000
_TURN_SECONDS = 0.001


@contextmanager
def connect(database_url: str) -> Iterator[Connection]:
    """A connection for building: what it commits need not reach the disk at once, since checkpoint and rows
    are lost together or not at all; the switch commits in full, and with it everything before.
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
    """This process builds, and does nothing else meanwhile.

    No collection: events, changes and rows have no cycles, their references' counts free them; looking for
    cycles among so many would take a third of the time. And short turns: the thread that writes has little to
    do each time the database takes more, and would wait 5 ms for the one that reads each time.
    """
    was_enabled, turn = gc.isenabled(), sys.getswitchinterval()
    gc.disable()
    sys.setswitchinterval(_TURN_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(turn)
        if was_enabled:
            gc.enable()
