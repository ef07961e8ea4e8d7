"""Start, stop and kill of the one-machine mode: no process is left, and no data is lost."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from operations.embedded_postgres import running_server
from tests.e2e.conftest import PASSWORD, USER
from tests.support.docker_registry import DockerRegistry
from tests.support.servers import free_port
from tests.support.system import System, add_body
from tests.support.timing import PATIENCE, waiting


@pytest.fixture
def system(tmp_path: Path, registry: DockerRegistry) -> Iterator[System]:
    """A system that the test may stop and kill."""
    allowed = {"REGCRED_VERIFIER_ALLOW": "127.0.0.0/8", "REGCRED_VERIFIER_ALLOW_HTTP": registry.address}
    with System(tmp_path / "state", allowed) as running:
        yield running


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system that no test stops."""
    with System(tmp_path_factory.mktemp("untouched") / "state", {}) as running:
        yield running


def add(system: System, name: str, registry: DockerRegistry) -> str:
    with system.client() as client:
        body = add_body(name, registry.address, USER, PASSWORD)
        answer = client.post("/v1/accounts/acme/credentials", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def names(system: System) -> list[str]:
    with system.client() as client:
        return [item["name"] for item in client.get("/v1/accounts/acme/credentials").json()["items"]]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_all_processes_and_a_restart_keeps_the_data(
    system: System, registry: DockerRegistry, how: signal.Signals
) -> None:
    add(system, "first", registry)
    waiting(lambda: names(system) == ["first"], "it is listed")
    assert system.stop(how) == 0
    assert not system.processes()
    assert running_server(system.home / "postgres") is None
    system.start()
    assert names(system) == ["first"]
    add(system, "second", registry)
    waiting(lambda: names(system) == ["first", "second"], "the second is listed")


def test_a_burst_of_signals_stops_all_processes_and_the_database(system: System) -> None:
    assert system.stop_with_burst() == 0
    assert not system.processes()
    assert running_server(system.home / "postgres") is None
    assert "Traceback" not in system.log.read_text()
    assert "child_killed" not in system.log.read_text()


def test_a_killed_supervisor_loses_no_data_and_its_database_is_taken_over(
    system: System, registry: DockerRegistry
) -> None:
    add(system, "kept", registry)
    system.kill()
    left = running_server(system.home / "postgres")
    system.start()
    waiting(lambda: names(system) == ["kept"], "it is there again")
    [line] = [line for line in system.log.read_text().splitlines() if "database_taken_over" in line]
    assert json.loads(line)["server"] == left
    assert system.stop() == 0
    assert running_server(system.home / "postgres") is None


def test_a_start_waits_for_the_processes_of_a_killed_supervisor(system: System) -> None:
    """They notice within seconds that it was killed. Until then, the API listens at the address."""
    system.kill()
    started = Event()
    with socket.create_server(("127.0.0.1", system.port)) as api:

        def end_when_awaited() -> None:
            with api:
                waiting(lambda: started.is_set() or "waiting_for_address" in system.log.read_text())

        former = Thread(target=end_when_awaited)
        former.start()
        try:
            system.start()
        finally:
            started.set()
            former.join()


def test_a_home_that_the_database_cannot_use_is_refused(tmp_path: Path) -> None:
    refused = up(tmp_path / "with space", free_port())
    assert refused.returncode == 1
    assert "the embedded PostgreSQL cannot use the folder" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_state_is_readable_by_its_owner_only(untouched: System) -> None:
    """The files of the token and the keys, and the folder of the database and its socket."""
    for name, mode in (("admin.token", 0o600), ("keys.json", 0o600), ("postgres", 0o700)):
        assert stat.S_IMODE((untouched.home / name).stat().st_mode) == mode


def test_a_second_process_on_the_same_state_is_refused(untouched: System) -> None:
    refused = up(untouched.home, free_port())
    assert refused.returncode == 1
    assert "another `regcred up` uses" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_an_address_in_use_is_reported(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused = up(tmp_path / "state", taken.getsockname()[1])
    assert refused.returncode == 1
    assert "cannot listen on 127.0.0.1" in refused.stderr
    assert "Traceback" not in refused.stderr


def up(home: Path, port: int) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "REGCRED_HOME": str(home), "REGCRED_LISTEN": f"127.0.0.1:{port}"}
    return subprocess.run(
        [sys.executable, "-m", "regcred", "up"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
