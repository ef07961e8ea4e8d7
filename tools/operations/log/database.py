"""The database for operator commands. The embedded one is started if `regcred up` does not run."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from psycopg.conninfo import make_conninfo

from chassis.runtime.lifecycle import stop_signals_deferred
from chassis.settings.environment import Settings
from operations.embedded_postgres import EmbeddedPostgres
from operations.home_lock import HomeInUse, home_lock


class NoDatabase(Exception):
    """No database is configured, and the home folder has none."""

    def __init__(self, home: Path) -> None:
        super().__init__(f"REGCRED_DATABASE_URL is not set, and {home} has no usable database")


@contextmanager
def log_database(settings: Settings) -> Iterator[str]:
    """Yield the URL of the configured database, otherwise of the embedded one.

    If the embedded database does not run, it is started for the duration of the block.

    Raises:
        NoDatabase: there is neither.
    """
    if settings.database_url is not None:
        yield settings.database_url
        return
    folder = settings.home / "postgres"
    if not (folder / "PG_VERSION").exists():
        raise NoDatabase(settings.home)
    with ExitStack() as resources:
        try:
            resources.enter_context(home_lock(settings.home))
        except HomeInUse:
            yield _url_of_running(folder)
            return
        yield resources.enter_context(embedded_database(folder))


@contextmanager
def embedded_database(folder: Path) -> Iterator[str]:
    """Run the embedded database with its data in `folder` for the duration of the block. Yield its URL.

    Raises:
        EmbeddedPostgresFailed: the server cannot be used.
    """
    with ExitStack() as resources:
        with stop_signals_deferred():  # until its stop is registered
            database = EmbeddedPostgres(folder)
            resources.callback(database.stop)
        yield database.url


def _url_of_running(folder: Path) -> str:
    """Read the URL of a running server from its PID file.

    The lines of the file are PID, data, start, port, folder of the socket, and others.
    """
    try:
        _pid, _data, _start, port, socket, *_ = (folder / "postmaster.pid").read_text().splitlines()
    except (OSError, ValueError):
        raise NoDatabase(folder.parent) from None
    return make_conninfo(host=socket.strip(), port=port.strip(), user="postgres", dbname="postgres")
