import pytest

from tests.support.credentials_suite import CredentialStoreSuite
from tests.support.memory_credentials import MemoryCredentialStore


@pytest.fixture
def store() -> MemoryCredentialStore:
    return MemoryCredentialStore()


class TestMemoryCredentialStore(CredentialStoreSuite):
    pass
