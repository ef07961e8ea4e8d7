import pytest

from tests.support.eventstore_suite import EventStoreSuite
from tests.support.memory_eventstore import MemoryEventStore


@pytest.fixture
def store() -> MemoryEventStore:
    return MemoryEventStore()


class TestMemoryEventStore(EventStoreSuite):
    pass
