from collections.abc import Iterator

import pytest

from tests.support.memory_secretstore import MemorySecretStore
from tests.support.secretstore_suite import SecretStoreSuite


@pytest.fixture(scope="module")
def store() -> Iterator[MemorySecretStore]:
    made = MemorySecretStore()
    yield made
    made.close()


class TestMemorySecretStore(SecretStoreSuite):
    pass
