"""Each test of a broker runs with each RabbitMQ of this machine."""

from collections.abc import Iterator

import pytest

from tests.support.rabbitmq import RabbitMQ, other_root
from tests.support.servers import missing


@pytest.fixture(scope="session", params=["own-version", "other-version"])
def rabbitmq(request: pytest.FixtureRequest) -> Iterator[RabbitMQ]:
    """One broker of each version for all tests. A test that stops it starts it again."""
    root = other_root() if request.param == "other-version" else None
    if request.param == "other-version" and root is None:
        missing("another RabbitMQ", "set REGCRED_TEST_RABBITMQ to a folder that `.ci/other_rabbitmq` creates")
    with RabbitMQ(root) as broker:
        yield broker
