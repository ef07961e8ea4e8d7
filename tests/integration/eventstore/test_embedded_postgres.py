"""The embedded PostgreSQL of the one-machine mode: its locale, and its restart after it was killed."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest

from operations.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresFailed, running_server
from tests.support.timing import PATIENCE

pytestmark = pytest.mark.integration

# A process of its own: pytest would adopt the servers of all other tests.
KILLS_AND_RESTARTS = """
import os, signal, sys, time
from pathlib import Path
from operations.embedded_postgres import EmbeddedPostgres, adopt_orphans

adopt_orphans()
server = EmbeddedPostgres(Path(sys.argv[1]))
killed = int((Path(sys.argv[1]) / "postmaster.pid").read_text().split()[0])
assert not os.waitpid(killed, os.WNOHANG)[0]  # it is a child of this process, and runs
os.kill(killed, signal.SIGKILL)
while server.is_serving():
    time.sleep(0.02)
while not server.restart():
    time.sleep(0.02)
assert not Path(f"/proc/{killed}").exists()
print("serving:", server.is_serving())
server.stop()
"""


@pytest.mark.parametrize("name", ["C.UTF-8", None])
def test_a_database_sorts_by_the_c_locale_in_any_environment(
    name: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
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


@pytest.mark.parametrize("name", ["a b", "a'b", 'a"b', "a$HOME", "a;b", "a,b", "a\nb"])
def test_a_folder_that_the_server_cannot_use_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(EmbeddedPostgresFailed, match="cannot use the folder"):
        EmbeddedPostgres(tmp_path / name)
    assert not (tmp_path / name).exists()


def test_a_folder_with_letters_of_any_language_is_used_and_a_running_server_taken_over() -> None:
    home = Path(tempfile.mkdtemp(prefix="regcred-größe%20-"))
    folder = home / "postgres"
    server = EmbeddedPostgres(folder)
    try:
        assert server.taken_over is None
        running = running_server(folder)
        (folder / ".handle_pids.json").write_text("[")  # cut by a kill
        del type(server._server)._instances[folder]  # as in another process
        again = EmbeddedPostgres(folder)
        assert (again.taken_over, again.is_serving()) == (running, True)
        again.stop()
        assert running_server(folder) is None
    finally:
        server.stop()
        shutil.rmtree(home)


def test_a_killed_server_is_restarted_by_a_process_that_adopts_orphans() -> None:
    home = Path(tempfile.mkdtemp(prefix="regcred-home-"))
    try:
        done = subprocess.run(
            [sys.executable, "-c", KILLS_AND_RESTARTS, home / "postgres"],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    finally:
        shutil.rmtree(home)
    assert done.stdout == "serving: True\n", done.stderr


def test_a_server_without_a_free_connection_is_serving() -> None:
    home = Path(tempfile.mkdtemp(prefix="regcred-home-"))
    server = EmbeddedPostgres(home / "postgres")
    held: list[psycopg.Connection] = []
    try:
        held.append(psycopg.connect(server.url))
        [limit] = held[0].execute("SELECT current_setting('max_connections')::int").fetchone() or [0]
        held.extend(psycopg.connect(server.url) for _ in range(limit - 1))
        with pytest.raises(psycopg.OperationalError, match="too many clients"):
            psycopg.connect(server.url)
        assert server.is_serving()
    finally:
        for connection in held:
            connection.close()
        server.stop()
        shutil.rmtree(home)
