from collections.abc import Iterator

import pytest

from chassis.database import open_pool
from tests.support.eventstore_suite import EventStoreSuite
from tests.support.log import AnyEventStore, fresh_log
from tests.support.personal_keys import personal_keys


@pytest.fixture(scope="module", params=["in clear", "sealed"])
def store(request: pytest.FixtureRequest) -> Iterator[AnyEventStore]:
    """Each test has a database of its own: they use the same event ids."""
    personal = personal_keys() if request.param == "sealed" else None
    with fresh_log() as url, open_pool(url, role="none", size=8) as pool:
        yield AnyEventStore(pool, personal)


class TestPostgresEventStore(EventStoreSuite):
    pass
