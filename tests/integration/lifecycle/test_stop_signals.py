"""Many stop signals at once end every process: a handler never waits for a lock that the main thread holds."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from chassis.runtime.health import is_healthy
from chassis.runtime.parent import SUPERVISED
from secretstore.keyfile import KeyFile
from tests.support.postgres import migrated_database
from tests.support.servers import free_port
from tests.support.signals import stop_with_burst
from tests.support.timing import PATIENCE, waiting

pytestmark = pytest.mark.integration

# The main thread holds the lock of the event while both signals arrive.
SIGNALS_WHILE_THE_LOCK_IS_HELD = """
import os, signal
{imports}
stop = stop_on_signals()
with stop._cond:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
        os.kill(os.getpid(), number)
assert stop.wait(60)
"""
# When Python deletes what a module contains, it has removed the handlers. Other threads may still run then.
SIGNAL_WHILE_PYTHON_FINALIZES = """
import os, signal, sys
from chassis.runtime.parent import stop_with_parent

class Last:
    def __del__(self, kill=os.kill, pid=os.getpid, number=signal.SIGTERM):
        kill(pid(), number)

last = Last()
"""
LOOP = """
from chassis.runtime.lifecycle import stop_on_signals
stop = stop_on_signals()
stop_with_parent()
os.kill(os.getpid(), signal.SIGINT)
assert stop.wait(60)
"""
SERVER = """
from flask import Flask
from chassis.web.server import serve

def app():
    os.kill(os.getpid(), signal.SIGTERM)
    return Flask("empty")

stop_with_parent()
serve(app, host="127.0.0.1", port=int(sys.argv[1]), proxies=None)
"""
CONSUMER = Path(__file__).parents[3] / "docs" / "examples" / "consumer"


@pytest.mark.parametrize(
    "imports",
    ["from chassis.runtime.lifecycle import stop_on_signals", "from consumer import stop_on_signals"],
)
def test_signals_that_interrupt_the_use_of_the_event_set_it(imports: str) -> None:
    code = SIGNALS_WHILE_THE_LOCK_IS_HELD.format(imports=imports)
    path = os.pathsep.join([*sys.path, str(CONSUMER)])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("work", [LOOP, SERVER], ids=["loop", "server"])
def test_a_signal_while_python_finalizes_has_no_effect(work: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SIGNAL_WHILE_PYTHON_FINALIZES + work, str(free_port())],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), SUPERVISED: "1"},
        stdin=subprocess.PIPE,  # at its end, a supervised process would stop
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.wait(PATIENCE) == 0
            assert process.stderr is not None
            assert process.stderr.read() == ""
        finally:
            process.kill()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with migrated_database() as made:
        yield made


SERVICES = {
    "relay": ["-m", "credentials", "relay"],
    "verifier": ["-m", "verifier"],
    "projector": ["-m", "projector"],
    "api": ["-m", "credentials", "api"],
    "console": ["-m", "console"],
    "example": [str(CONSUMER / "consumer.py")],
}


def test_a_burst_of_signals_stops_every_service(url: str, tmp_path: Path) -> None:
    with services(url, tmp_path) as running:
        codes = {name: stop_with_burst(process) for name, process in running.items()}
    logs = {name: (tmp_path / name).read_text() for name in codes}
    assert codes == dict.fromkeys(SERVICES, 0), logs
    assert "Traceback" not in "".join(logs.values())


@contextmanager
def services(url: str, folder: Path) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Every service, each in a session of its own, once it has started."""
    KeyFile.create(folder / "keys.json")
    ports = {"api": free_port(), "console": free_port()}
    running = {}
    try:
        for name, arguments in SERVICES.items():
            with (folder / name).open("wb") as log:
                running[name] = subprocess.Popen(
                    [sys.executable, *arguments],
                    env={
                        **os.environ,
                        "REGCRED_DATABASE_URL": url,
                        "REGCRED_HOME": str(folder),
                        "REGCRED_LISTEN": f"127.0.0.1:{ports['api']}",
                        "REGCRED_CONSOLE_LISTEN": f"127.0.0.1:{ports['console']}",
                        "REGCRED_METRICS_LISTEN": "",
                        "PYTHONPATH": os.pathsep.join(sys.path),
                        "BROKER_URL": f"amqp://127.0.0.1:{free_port()}",
                        "DATABASE": str(folder / "due.sqlite"),
                    },
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        for name in SERVICES:
            waiting(started(name, url, folder, ports), f"{name} has started")
        yield running
    finally:
        for process in running.values():
            process.kill()
            process.wait(PATIENCE)


def started(name: str, url: str, folder: Path, ports: dict[str, int]) -> Callable[[], bool]:
    if name in ports:
        return lambda: is_healthy(f"http://127.0.0.1:{ports[name]}/healthz")
    if name == "example":
        return lambda: "interrupted" in (folder / name).read_text()

    def leads() -> bool:
        with psycopg.connect(url) as connection:
            return bool(
                connection.execute(
                    "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s",
                    (f"regcred_{name}:{name}",),
                ).fetchone()
            )

    return leads
