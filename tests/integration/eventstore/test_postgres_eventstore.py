from collections.abc import Iterator

import pytest

from chassis.database import open_pool
from tests.support.eventstore_suite import EventStoreSuite
from tests.support.log import fresh_log
from tests.support.personal_keys import personal_keys
from verifier.postgres_store import PostgresVerificationStore


@pytest.fixture(scope="module", params=["in clear", "sealed"])
def store(request: pytest.FixtureRequest) -> Iterator[PostgresVerificationStore]:
    """Each test has a database of its own: they use the same event ids."""
    personal = personal_keys() if request.param == "sealed" else None
    with fresh_log() as url, open_pool(url, role="regcred_verifier", size=8) as pool:
        yield PostgresVerificationStore(pool, personal)


class TestPostgresEventStore(EventStoreSuite):
    pass
