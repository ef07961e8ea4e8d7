"""Housekeeping on a real log and the real encrypted table, by the own role of the relay."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chassis.database import open_pool
from secretstore.keyfile import KeyFile
from tests.integration.relay.housekeeping import Services
from tests.support.log import fresh_log, relay_of


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    keys = KeyFile.create(tmp_path / "keys.json")
    with (
        fresh_log() as url,
        open_pool(url, role="regcred_credentials", size=2) as service,
        open_pool(url, role="regcred_relay", size=2) as relay_pool,
        relay_of(url) as relay,
    ):
        made = Services(url, service, relay_pool, relay, keys)
        yield made
        made.stop.set()
        made.housekeeping.close()
