"""A primary and its standby (pg_basebackup), both of this test's own, and the promotion of the standby."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict

from operations.embedded_postgres import EmbeddedPostgres
from tests.support.cleanup import kill_processes_of
from tests.support.postgres import program_of_the_wheel, server_url
from tests.support.timing import waiting

_USER = "pgserver"  # the user that the wheel creates for root


class PrimaryAndStandby:
    """Two servers of the wheel. `primary` and `standby` are URLs of a superuser; `both` names both hosts."""

    def __init__(self) -> None:
        server_url()  # the library keeps its lock in a folder of the first server, which must outlive this one
        self._folder = Path(tempfile.mkdtemp(prefix="regcred-standby-", dir="/tmp"))
        self._folder.chmod(0o755)
        self._data = self._folder / "b"
        self._server = EmbeddedPostgres(self._folder / "a")
        self.primary = self._server.url
        primary_socket = conninfo_to_dict(self.primary)["host"]
        self.standby = f"postgresql://postgres@/postgres?host={quote(str(self._data), safe='')}"
        both = quote(f"{self._data},{primary_socket}", safe="")
        self.both = f"postgresql://postgres@/postgres?host={both}"

    def start_standby(self) -> None:
        """Copy the primary, and start the copy as its hot standby."""
        subprocess.run(
            [
                program_of_the_wheel("pg_basebackup"),
                *("-d", self.primary, "-D", self._data, "-R", "-X", "stream", "-c", "fast"),
            ],
            check=True,
            capture_output=True,
        )
        (self._data / ".s.PGSQL.5432.lock").unlink(
            missing_ok=True
        )  # the socket of the primary is in its data
        if os.geteuid() == 0:
            user = pwd.getpwnam(_USER)
            for path in (self._data, *self._data.rglob("*")):
                os.chown(path, user.pw_uid, user.pw_gid)
        self._pg_ctl("start", "-w", "-o", f'-h "" -k {self._data}', "-l", str(self._data / "log"))

    def cut_standby_off(self) -> None:
        """End the replication. What the primary commits from here on, the standby lacks."""
        with psycopg.connect(self.standby, autocommit=True) as admin:
            admin.execute("ALTER SYSTEM SET primary_conninfo = ''")
            admin.execute("SELECT pg_reload_conf()")
            waiting(
                lambda: admin.execute("SELECT FROM pg_stat_wal_receiver").fetchone() is None,
                "it receives nothing",
            )

    def stop_primary(self) -> None:
        self._server.stop()

    def promote(self) -> None:
        """Make the standby a primary, and wait until it is one."""
        self._pg_ctl("promote", "-w")

    def _pg_ctl(self, *arguments: str) -> None:
        subprocess.run(
            [program_of_the_wheel("pg_ctl"), "-D", self._data, *arguments],
            check=True,
            stdout=subprocess.DEVNULL,  # the server inherits it
            stderr=subprocess.DEVNULL,
            user=_USER if os.geteuid() == 0 else None,
            cwd="/",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._server.stop()
        kill_processes_of(self._data)
        shutil.rmtree(self._folder, ignore_errors=True)
