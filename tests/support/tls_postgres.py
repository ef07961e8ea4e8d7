"""A PostgreSQL that accepts connections under TLS only: Debian's programs, since the wheel's have no TLS."""

import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from launcher.deployment.certificates import Pair
from tests.support.cleanup import kill_processes_of, undone_on_failure
from tests.support.servers import free_port, missing
from tests.support.timing import PATIENCE


class TLSPostgres:
    """Listens at 127.0.0.1 with this certificate, and accepts every login under TLS, or asks for its password."""

    def __init__(self, certificate: Pair, *, method: str = "trust") -> None:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        if not found:
            missing("a PostgreSQL with TLS", "apt-get install postgresql")
        self._programs = found[-1].parent
        # It does not start as root; Debian's package has created this user.
        self._user = "postgres" if os.geteuid() == 0 else None
        self._folder = Path(tempfile.mkdtemp(prefix="regcred-tls-pg-"))
        for name, content in (("tls.crt", certificate.certificate), ("tls.key", certificate.key)):
            (self._folder / name).write_text(content)
            (self._folder / name).chmod(0o600)
        (self._folder / "hba").write_text(f"hostssl all all 127.0.0.1/32 {method}\n")
        if self._user:
            for path in (self._folder, *self._folder.iterdir()):
                shutil.chown(path, self._user)
        self.port = free_port()

    def url(self, *, host: str, authority: Path, mode: str = "verify-full") -> str:
        """The URL for a service; `host` is the name that its certificate must have."""
        return (
            f"postgresql://postgres@{host}/postgres?hostaddr=127.0.0.1&port={self.port}"
            f"&sslmode={mode}&sslrootcert={authority}"
        )

    def require_passwords(self) -> None:
        """Let only the superuser log in without a password from here on."""
        (self._folder / "hba").write_text(
            "hostssl all postgres all trust\nhostssl all all all scram-sha-256\n"
        )
        self._run("pg_ctl", "-D", self._folder / "data", "reload")

    def __enter__(self) -> Self:
        with undone_on_failure(self.close):
            self._start(self._folder / "data")
        return self

    def _start(self, data: Path) -> None:
        self._run("initdb", "-D", data, "-U", "postgres", "--no-sync")
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self._folder,
            "hba_file": self._folder / "hba",
            "ssl": "on",
            "ssl_cert_file": self._folder / "tls.crt",
            "ssl_key_file": self._folder / "tls.key",
            "fsync": "off",
        }
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        self._run("pg_ctl", "-D", data, "-w", "-l", self._folder / "log", "-o", options, "start")

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop it, also while it starts, and remove its folder."""
        if (self._folder / "data" / "postmaster.pid").exists():
            with suppress(subprocess.SubprocessError):  # it does not run yet
                self._run("pg_ctl", "-D", self._folder / "data", "-m", "immediate", "stop")
        kill_processes_of(self._folder)
        shutil.rmtree(self._folder)

    def _run(self, program: str, *arguments: str | Path) -> None:
        subprocess.run(
            [self._programs / program, *arguments],
            user=self._user,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # a pipe would stay open while the server runs
            stderr=subprocess.DEVNULL,
            check=True,
            timeout=PATIENCE,
        )
