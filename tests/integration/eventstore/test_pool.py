"""A pool whose connections were all cut: later requests get new ones."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Barrier
from typing import Any

import psycopg
import pytest
from psycopg_pool import PoolTimeout, TooManyRequests

from chassis import database
from chassis.database import WAITING_REQUESTS, Pool, ServiceConnection, open_pool
from chassis.database_failure import failure_reason
from chassis.runtime.guarded_dependency import SLOW_SECONDS
from eventlog.storage import EventStoreUnavailable, store_errors
from tests.support.log import Connection
from tests.support.timing import PATIENCE, waiting

SIZE = 12
ROLE = "regcred_query"


def use_all(pool: Pool) -> None:
    """Every connection at once."""
    together = Barrier(SIZE)

    def use(_number: int) -> None:
        with pool.connection() as connection:
            connection.execute("SELECT 1")
            together.wait(PATIENCE)

    with ThreadPoolExecutor(SIZE) as threads:
        list(threads.map(use, range(SIZE)))


def test_no_request_fails_after_all_connections_were_cut(database_url: str) -> None:
    with open_pool(database_url, role=ROLE, size=SIZE) as pool:
        use_all(pool)
        for _ in range(2):
            waiting(lambda: pool.get_stats()["pool_available"] == pool.get_stats()["pool_size"], "all rest")
            with psycopg.connect(database_url, autocommit=True) as admin:
                admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s",
                    (ROLE,),
                )
                waiting(lambda: not others(admin), "all are gone")
            use_all(pool)


def others(admin: Connection) -> list[Any]:
    return admin.execute("SELECT pid FROM pg_stat_activity WHERE application_name = %s", (ROLE,)).fetchall()


def test_an_unreachable_database_is_not_waited_for_by_each_request() -> None:
    with open_pool("postgresql://nobody@127.0.0.1:1/none", role=ROLE, size=1, serves_requests=True) as pool:
        for _ in range(3):
            with pytest.raises(PoolTimeout):
                pool.getconn(SLOW_SECONDS + 0.1)
        with pytest.raises(EventStoreUnavailable) as refused, store_errors():
            pool.getconn(PATIENCE)  # without waiting
        assert failure_reason(refused.value) == "too many requests wait for a connection"


def test_few_requests_wait_for_a_database_that_does_not_respond(database_url: str) -> None:
    with open_pool(database_url, role=ROLE, size=WAITING_REQUESTS + 1, serves_requests=True) as pool:
        connections = [pool.getconn() for _ in range(WAITING_REQUESTS)]
        servers = [connection.info.backend_pid for connection in connections]
        for connection in connections:
            pool.putconn(connection)
        for server in servers:
            os.kill(server, signal.SIGSTOP)
        try:
            with ThreadPoolExecutor(WAITING_REQUESTS) as threads:
                waits = [threads.submit(pool.getconn) for _ in range(WAITING_REQUESTS)]
                waiting(lambda: pool.get_stats()["pool_available"] == 0, "all wait")
                with pytest.raises(TooManyRequests):
                    pool.getconn()
                for server in servers:
                    os.kill(server, signal.SIGCONT)
                for wait in waits:
                    pool.putconn(wait.result())
        finally:
            for server in servers:
                with suppress(ProcessLookupError):
                    os.kill(server, signal.SIGCONT)


def test_every_request_of_a_burst_waits_while_the_pool_grows(database_url: str) -> None:
    """After a rest a pool has one connection, and each new one takes its time on a loaded machine."""
    requests = 2 * WAITING_REQUESTS

    def slow(connection: Connection) -> None:
        connection.execute("SELECT pg_sleep(0.2)")

    with open_pool(database_url, role=ROLE, size=requests, serves_requests=True, examine=slow) as pool:
        together = Barrier(requests)

        def use(_number: int) -> None:
            together.wait(PATIENCE)
            with pool.connection() as connection:
                connection.execute("SELECT pg_sleep(0.2)")

        with ThreadPoolExecutor(requests) as threads:
            list(threads.map(use, range(requests)))


def test_a_statement_without_a_response_ends_and_its_connection_is_replaced(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel of a stopped server acknowledges packets, so the limits of TCP do not end the wait."""
    monkeypatch.setattr(ServiceConnection, "response_seconds", 1.0)
    with open_pool(database_url, role=ROLE, size=1) as pool:
        with pool.connection() as connection, stopped(connection.info.backend_pid):
            with pytest.raises(EventStoreUnavailable), store_errors():
                connection.execute("SELECT 1")
            assert connection.closed
        use_one(pool)


def test_a_resting_connection_without_a_response_is_not_waited_for(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "CHECK_SECONDS", 0.5)
    with open_pool(database_url, role=ROLE, size=1) as pool:
        with pool.connection() as connection:
            server = connection.info.backend_pid
        with stopped(server):
            use_one(pool)


@contextmanager
def stopped(process: int) -> Iterator[None]:
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGCONT)


def use_one(pool: Pool) -> None:
    with pool.connection() as connection:
        connection.execute("SELECT 1")
