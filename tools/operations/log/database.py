"""The database of the one-machine mode for commands that look into it, whether `regcred up` runs or not."""

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from psycopg.conninfo import make_conninfo

from chassis.settings.environment import Settings
from operations.embedded_postgres import EmbeddedPostgres


class NoDatabase(Exception):
    """There is none to look into."""

    def __init__(self, home: Path) -> None:
        super().__init__(
            f"REGCRED_DATABASE_URL is not set, and {home} has no running database or none at all"
        )


@contextmanager
def log_database(settings: Settings) -> Iterator[str]:
    """The URL of the configured database; else of the embedded one, started for the while if it rests.

    Raises:
        NoDatabase.
    """
    if settings.database_url is not None:
        yield settings.database_url
        return
    folder = settings.home / "postgres"
    if not (folder / "PG_VERSION").exists():
        raise NoDatabase(settings.home)
    with ExitStack() as left_behind:
        lock = left_behind.enter_context((settings.home / "lock").open("w"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # `regcred up` holds it
            yield _url_of_running(folder)
            return
        database = EmbeddedPostgres(folder)
        left_behind.callback(database.stop)
        yield database.url


def _url_of_running(folder: Path) -> str:
    """Read where the server listens from the file it keeps: PID, data, start, port, socket's folder, …"""
    try:
        _pid, _data, _start, port, socket, *_ = (folder / "postmaster.pid").read_text().splitlines()
    except (OSError, ValueError):
        raise NoDatabase(folder.parent) from None
    return make_conninfo(host=socket.strip(), port=port.strip(), user="postgres", dbname="postgres")
