"""Starting, stopping, dying: the one-machine mode leaves nothing behind and finds everything again."""

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import PASSWORD, USER
from tests.support.docker_registry import DockerRegistry
from tests.support.servers import free_port
from tests.support.system import System, add_body
from tests.support.timing import waiting


@pytest.fixture
def system(tmp_path: Path, registry: DockerRegistry) -> Iterator[System]:
    """One of the test's own, which it may stop and kill."""
    allowed = {"REGCRED_VERIFIER_ALLOW": "127.0.0.0/8", "REGCRED_VERIFIER_ALLOW_HTTP": registry.address}
    with System(tmp_path / "state", allowed) as running:
        yield running


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One that no test stops."""
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


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly_and_finds_everything_again(
    system: System, registry: DockerRegistry, how: signal.Signals
) -> None:
    add(system, "first", registry)
    waiting(lambda: names(system) == ["first"], "it is listed")
    assert system.stop(how) == 0
    assert not system.processes()
    system.start()
    assert names(system) == ["first"]
    add(system, "second", registry)
    waiting(lambda: names(system) == ["first", "second"], "the second is listed")


def test_a_killed_supervisor_takes_its_children_with_it_and_loses_nothing(
    system: System, registry: DockerRegistry
) -> None:
    add(system, "kept", registry)
    system.kill()
    system.start()
    waiting(lambda: names(system) == ["kept"], "it is there again")


def test_what_is_kept_is_its_owners_alone(untouched: System) -> None:
    """Token and keys by their files; the database, and the socket to it, by its folder."""
    for name, mode in (("admin.token", 0o600), ("keys.json", 0o600), ("postgres", 0o700)):
        assert stat.S_IMODE((untouched.home / name).stat().st_mode) == mode


def test_a_second_one_on_the_same_state_is_refused_in_a_sentence(untouched: System) -> None:
    refused = up(untouched.home, free_port())
    assert refused.returncode == 1
    assert "another `regcred up` uses" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_an_address_in_use_is_told_in_a_sentence(tmp_path: Path) -> None:
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
        timeout=60,
        check=False,
    )
