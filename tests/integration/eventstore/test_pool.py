"""A pool whose connections were all cut: later requests get new ones."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import psycopg

from chassis.database import Pool, open_pool
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
