from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from projector.rebuild.build_process import ROLE
from secretstore.keyfile import KeyFile
from tests.integration.projector.installation import Installation, open_installation
from tests.integration.projector.payloads import Connection, Log, open_log
from tests.integration.projector.query_site import Site, open_site
from tests.support.postgres import migrated_database


@pytest.fixture(autouse=True)
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The key file of commands that read events."""
    KeyFile.create(path := tmp_path / "command-keys.json")
    monkeypatch.setenv("REGCRED_KEY_FILE", str(path))
    return path


@pytest.fixture
def database_url() -> Iterator[str]:
    """A migrated database of this test's own, as a superuser."""
    with migrated_database() as url:
        yield url


@pytest.fixture
def log(database_url: str) -> Iterator[Log]:
    with open_log(database_url) as log:
        yield log


@pytest.fixture
def projector(database_url: str) -> Iterator[Connection]:
    """A connection with the projector's rights."""
    with psycopg.connect(database_url, autocommit=True, options=f"-c role={ROLE}") as connection:
        yield connection


@pytest.fixture
def site(database_url: str, log: Log, projector: Connection, tmp_path: Path) -> Iterator[Site]:
    """The query API, whose read models follow the log when the test says so."""
    with open_site(database_url, log, projector, tmp_path) as site:
        yield site


@pytest.fixture
def installation(
    database_url: str, log: Log, projector: Connection, tmp_path: Path
) -> Iterator[Installation]:
    """The query API and the archive, with an audit log of two accounts."""
    with open_installation(database_url, log, projector, tmp_path) as installation:
        yield installation
