"""The one-machine mode's PostgreSQL is the same on every machine, whatever language its user speaks."""

import os
import shutil
import tempfile
from pathlib import Path

import psycopg
import pytest

from operations.embedded_postgres import EmbeddedPostgres

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("name", ["C.UTF-8", None])
def test_its_order_is_that_of_c(name: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LC_ALL", raising=False)
    if name is not None:
        monkeypatch.setenv("LC_ALL", name)
    home = Path(tempfile.mkdtemp(prefix="regcred-home-"))
    server = EmbeddedPostgres(home / "postgres")
    try:
        with psycopg.connect(server.url) as connection:
            row = connection.execute(
                "SELECT datcollate FROM pg_database WHERE datname = current_database()"
            ).fetchone()
            assert (row, connection.info.parameter_status("server_encoding")) == (("C",), "UTF8")
    finally:
        server.stop()
        shutil.rmtree(home)
    assert os.environ.get("LC_ALL") == name
