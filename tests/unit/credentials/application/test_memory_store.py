import pytest

from credentials.memory_store import MemoryCredentialStore
from tests.support.credentials_suite import CredentialStoreSuite


@pytest.fixture
def store() -> MemoryCredentialStore:
    return MemoryCredentialStore()


class TestMemoryCredentialStore(CredentialStoreSuite):
    pass
