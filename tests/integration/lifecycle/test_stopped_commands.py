"""A stop signal interrupts a command: it stops the database that it started, and leaves no draft of a file."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from chassis.settings.environment import Settings
from operations.embedded_postgres import EmbeddedPostgres, running_server
from operations.log.database import log_database
from operations.migrate.preparation import bind_keys, prepare
from tests.support.signals import stop_with_burst
from tests.support.timing import PATIENCE, waiting

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """An installation whose database does not run. A prepared transaction holds tables: each command waits."""
    settings = Settings.from_environment({"REGCRED_HOME": str(tmp_path_factory.mktemp("home"))})
    folder = settings.home / "postgres"
    database = EmbeddedPostgres(folder)
    prepare(database.url, None)
    bind_keys(settings.key_file, database.url)
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET max_prepared_transactions = 1")
    database.stop()
    with log_database(settings) as url, psycopg.connect(url) as connection:
        connection.execute("LOCK TABLE es.log, rm.generations IN ACCESS EXCLUSIVE MODE")
        connection.execute("PREPARE TRANSACTION 'held'")
    yield settings
    if running_server(folder) is not None:
        EmbeddedPostgres(folder).stop()


def starts(settings: Settings) -> bool:
    return running_server(settings.home / "postgres") is not None


def works(settings: Settings) -> bool:
    file = settings.home / "postgres" / "postmaster.pid"
    if not file.exists() or file.read_text().split()[-1:] != ["ready"]:
        return False
    with log_database(settings) as url, psycopg.connect(url) as connection:
        waits = connection.execute("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        return waits.fetchone() is not None


def signalled(number: signal.Signals) -> Callable[[subprocess.Popen[bytes]], int]:
    def stop(process: subprocess.Popen[bytes]) -> int:
        process.send_signal(number)
        return process.wait(PATIENCE)

    return stop


@dataclass(frozen=True)
class Stopped:
    """A command, the moment at which it is stopped, how, and its exit codes."""

    command: str
    moment: Callable[[Settings], bool]
    stop: Callable[[subprocess.Popen[bytes]], int]
    codes: tuple[int, ...]


@pytest.mark.parametrize(
    "stopped",
    [
        Stopped("log verify", works, signalled(signal.SIGTERM), (143,)),
        Stopped("log verify", starts, signalled(signal.SIGTERM), (143,)),
        Stopped("backup FILE", works, stop_with_burst, (130, 143)),
        Stopped("log export --output FILE", works, signalled(signal.SIGHUP), (129,)),
        Stopped("projections list", works, signalled(signal.SIGINT), (130,)),
        Stopped("doctor", works, signalled(signal.SIGTERM), (143,)),
    ],
    ids=lambda stopped: f"{stopped.command} {stopped.moment.__name__}",
)
def test_a_stopped_command_leaves_nothing(settings: Settings, tmp_path: Path, stopped: Stopped) -> None:
    output, before = tmp_path / "output", names(settings.home)
    output.mkdir()
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "regcred", *stopped.command.replace("FILE", str(output / "file")).split()],
            env={**os.environ, "REGCRED_HOME": str(settings.home)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        waiting(lambda: process.poll() is not None or stopped.moment(settings), "the command is at work")
        assert stopped.stop(process) in stopped.codes, (tmp_path / "log").read_text()
    finally:
        process.kill()
        process.wait()
    assert running_server(settings.home / "postgres") is None
    assert names(settings.home) == before
    assert names(output) == []
    assert "Traceback" not in (tmp_path / "log").read_text()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
