"""Every test in here needs a real server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postgres import migrated_database
from tests.support.rabbitmq import RabbitMQ
from tests.support.vault import Vault


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("integration")


@pytest.fixture(scope="module")
def database_url() -> Iterator[str]:
    """A migrated database of this module's own, as a superuser."""
    with migrated_database() as url:
        yield url


@pytest.fixture(scope="session")
def own_rabbitmq() -> Iterator[RabbitMQ]:
    """One broker of this machine's version: it is slow to start. A test that stops it starts it again."""
    with RabbitMQ() as broker:
        yield broker


@pytest.fixture(scope="session")
def rabbitmq(own_rabbitmq: RabbitMQ) -> RabbitMQ:
    return own_rabbitmq


@pytest.fixture(scope="session")
def vault() -> Iterator[Vault]:
    """One Vault for all tests. A test that seals it unseals it again."""
    with Vault() as server:
        yield server


@pytest.fixture
def own_vault(vault: Vault) -> Iterator[Vault]:
    """The Vault, which belongs to no installation before and after the test."""
    vault.api("DELETE", "regcred/metadata/installation")
    yield vault
    vault.api("DELETE", "regcred/metadata/installation")
