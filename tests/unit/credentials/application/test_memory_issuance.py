from uuid import UUID

import pytest

from contracts.streams import verification_stream
from eventlog.events import NewEvent
from tests.support.issuance_suite import IssuingSuite, Verify
from tests.support.memory_credentials import MemoryCredentialStore


@pytest.fixture
def store() -> MemoryCredentialStore:
    return MemoryCredentialStore()


@pytest.fixture
def verify(store: MemoryCredentialStore) -> Verify:
    def append(credential_id: UUID, expected: int, event: NewEvent) -> None:
        store.events.append(verification_stream(credential_id), expected, [event])

    return append


class TestMemoryIssuing(IssuingSuite):
    pass
