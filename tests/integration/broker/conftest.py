"""The tests of a broker run with each RabbitMQ of this machine, unless they are marked with `NEWEST_VERSION`."""

from collections.abc import Iterator

import pytest

from tests.support.rabbitmq import RabbitMQ, other_root
from tests.support.servers import missing

# For tests of a program of ours that both versions serve alike.
NEWEST_VERSION = pytest.mark.parametrize(
    "rabbitmq", ["other-version" if other_root() else "own-version"], indirect=True
)


@pytest.fixture(scope="session", params=["own-version", "other-version"])
def rabbitmq(request: pytest.FixtureRequest) -> Iterator[RabbitMQ]:
    """One broker of each version for all tests. A test that stops it starts it again."""
    if request.param == "own-version":
        yield request.getfixturevalue("own_rabbitmq")
        return
    root = other_root()
    if root is None:
        missing("another RabbitMQ", "set REGCRED_TEST_RABBITMQ to a folder that `.ci/other_rabbitmq` creates")
    with RabbitMQ(root) as broker:
        yield broker
