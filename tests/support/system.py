"""The whole system as its user runs it: `regcred up` in a process of its own, with clients over HTTP."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2

from tests.support.cleanup import undone_on_failure
from tests.support.servers import free_port
from tests.support.signals import stop_with_burst
from tests.support.timing import PATIENCE, waiting

T = TypeVar("T")


class System:
    """One-machine mode with its state in `home`; `environment` selects adapters. Its log is `home/log`."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self.home = home
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.log = home / "log"
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("REGCRED_")},
            **environment,
            "REGCRED_HOME": str(home),
            "REGCRED_LISTEN": f"127.0.0.1:{self.port}",
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait for the ready line of the contract."""
        self.home.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "regcred", "up"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        line = self._read_line(PATIENCE)
        assert line == f"regcred is ready at {self.address}\n", (line, self.log.read_text()[-3000:])

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Stop it as its user does; its exit code."""
        assert self._process is not None
        self._process.send_signal(how)
        code = self._process.wait(PATIENCE)
        self._close()
        return code

    def stop_with_burst(self) -> int:
        """Send many stop signals to it and its process group; its exit code."""
        assert self._process is not None
        code = stop_with_burst(self._process)
        self._close()
        return code

    def kill(self) -> None:
        """End it without a word, and wait until its children have noticed. The database goes on: the next start
        takes it over.
        """
        assert self._process is not None
        self._process.kill()
        self._process.wait(PATIENCE)
        self._close()
        waiting(lambda: not self._services(), "the children of a killed supervisor end")

    def processes(self) -> dict[int, str]:
        """Processes of this system (found by its home in their environment), id to command line."""
        mark = f"REGCRED_HOME={self.home}".encode()
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                try:
                    if mark in (entry / "environ").read_bytes().split(b"\0"):
                        command = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                        found[int(entry.name)] = command.decode(errors="replace")
                except OSError:
                    continue
        return found

    def _services(self) -> list[int]:
        return [pid for pid, command in self.processes().items() if " -m " in command]

    def database_url(self) -> str:
        """The embedded database, as its superuser."""
        return f"host={self.home / 'postgres'} user=postgres dbname=postgres"

    def client(self, token: str | None = None) -> httpx2.Client:
        """A client with that token; without one, with the admin token."""
        bearer = token or (self.home / "admin.token").read_text().strip()
        return httpx2.Client(
            base_url=self.address,
            headers={"Authorization": f"Bearer {bearer}"},
            timeout=PATIENCE,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        with undone_on_failure(self.close):
            self.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop it if it runs."""
        if self._process is not None:
            self.stop()

    def _close(self) -> None:
        if self._process is not None and self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None

    def _read_line(self, seconds: float) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            ready, _, _ = select.select([self._process.stdout], [], [], 0.2)
            if ready:
                return self._process.stdout.readline().decode()
        return "(nothing)"


def add_body(name: str, registry: str, username: str, password: str, **more: Any) -> dict[str, Any]:
    """A body of `POST …/credentials` for a custom registry."""
    return {
        "name": name,
        "provider": "custom",
        "registry_url": registry,
        "credential": {"kind": "username_password", "username": username, "password": password},
        **more,
    }
