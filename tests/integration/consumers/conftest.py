"""A log for each test, and an event that stops its consumers."""

from collections.abc import Iterator
from threading import Event

import psycopg
import pytest

from tests.integration.consumers.consuming import Connection
from tests.support.log import fresh_log


@pytest.fixture
def url() -> Iterator[str]:
    with fresh_log() as made:
        yield made


@pytest.fixture
def connection(url: str) -> Iterator[Connection]:
    with psycopg.connect(url, autocommit=True, options="-c role=regcred_verifier") as made:
        yield made


@pytest.fixture
def stop() -> Iterator[Event]:
    made = Event()
    yield made
    made.set()
