"""A pool whose connections were all cut: later requests get good ones, and soon."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import psycopg

from shared.eventstore.postgres import Pool, open_pool
from tests.support.timing import waiting

SIZE = 12
ROLE = "regcred_query"


def use_all(pool: Pool) -> float:
    """Every connection at once; the seconds of the slowest."""
    together = Barrier(SIZE)

    def use(_number: int) -> float:
        began = time.monotonic()
        with pool.connection() as connection:
            connection.execute("SELECT 1")
            waited = time.monotonic() - began
            together.wait(20)
        return waited

    with ThreadPoolExecutor(SIZE) as threads:
        return max(threads.map(use, range(SIZE)))


def test_a_cut_of_all_connections_fails_no_later_request(database_url: str) -> None:
    with open_pool(database_url, role=ROLE, size=SIZE) as pool:
        use_all(pool)
        for _ in range(2):
            waiting(lambda: pool.get_stats()["pool_available"] == pool.get_stats()["pool_size"], "all rest")
            with psycopg.connect(database_url, autocommit=True) as admin:
                admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s",
                    (ROLE,),
                )
                while admin.execute(
                    "SELECT pid FROM pg_stat_activity WHERE application_name = %s", (ROLE,)
                ).fetchone():
                    time.sleep(0.01)
            assert use_all(pool) < 3
