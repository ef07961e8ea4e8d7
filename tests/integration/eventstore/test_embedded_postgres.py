"""The one-machine mode's PostgreSQL is the same on every machine, whatever language its user speaks."""

import shutil
import tempfile
from pathlib import Path

import psycopg
import pytest

from regcred.embedded_postgres import EmbeddedPostgres

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("name", ["C", "POSIX", "C.UTF-8"])
def test_it_knows_the_letters_of_all_languages(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", name)
    home = Path(tempfile.mkdtemp(prefix="regcred-home-"))
    server = EmbeddedPostgres(home / "postgres")
    try:
        with psycopg.connect(server.url) as connection:
            row = connection.execute(
                "SELECT lower('ÄΩ'), datcollate FROM pg_database WHERE datname = current_database()"
            ).fetchone()
    finally:
        server.stop()
        shutil.rmtree(home)
    assert row == ("äω", "C")
