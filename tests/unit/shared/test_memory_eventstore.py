import pytest

from shared.eventstore.memory import MemoryEventStore
from tests.support.eventstore_suite import EventStoreSuite


@pytest.fixture
def store() -> MemoryEventStore:
    return MemoryEventStore()


class TestMemoryEventStore(EventStoreSuite):
    pass
