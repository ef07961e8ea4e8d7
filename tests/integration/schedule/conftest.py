"""A database of its own for each test: the schedule of one would be due in another."""

from collections.abc import Callable, Iterator

import psycopg
import pytest

from chassis.database import open_pool
from tests.integration.schedule.world import World


@pytest.fixture
def make_world(database_url: str) -> Iterator[Callable[..., World]]:
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(
            "TRUNCATE verifier.schedule, verifier.postponed, verifier.account_holds, verifier.login_paces"
        )
    pools = [
        open_pool(database_url, role=role, size=6) for role in ("regcred_credentials", "regcred_verifier")
    ]
    worlds = []

    def make(*, per_host: float = 1000, per_account: float = 1000) -> World:
        world = World(pools[0], pools[1], per_host=per_host, per_account=per_account)
        worlds.append(world)
        return world

    yield make
    for world in worlds:
        world.scheduler.close()
    for pool in pools:
        pool.close()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()
