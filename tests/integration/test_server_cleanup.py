"""A server of the tests whose start fails or is interrupted leaves no process and no folder."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.cleanup import kill_processes_of, processes_of
from tests.support.containers import image_of
from tests.support.docker_registry import DockerRegistry
from tests.support.rabbitmq import RabbitMQ
from tests.support.servers import ROOT
from tests.support.timing import PATIENCE, waiting
from tests.support.vault import Vault

SERVERS: dict[str, type[RabbitMQ | Vault | DockerRegistry]] = {
    "RABBITMQ": RabbitMQ,
    "VAULT": Vault,
    "REGISTRY": DockerRegistry,
}
_STEPS = {"RABBITMQ": "prepare", "VAULT": "bootstrap", "REGISTRY": "start"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files; servers have their folders in it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("kind", SERVERS)
def test_a_failed_start_leaves_nothing(kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = SERVERS[kind]
    step = getattr(server, _STEPS[kind])

    def interrupted(self: object) -> None:
        if _STEPS[kind] == "start":
            step(self)
        if not image_of(kind):
            assert processes_of(folder)
        raise KeyboardInterrupt

    monkeypatch.setattr(server, _STEPS[kind], interrupted)
    with pytest.raises(KeyboardInterrupt), server():
        pytest.fail("it started")
    assert processes_of(folder) == []
    assert list(folder.iterdir()) == []


def test_a_process_that_executes_other_programs_is_killed(folder: Path) -> None:
    program = folder / "again.sh"
    program.write_text('#!/bin/sh\nexec "$0"\n')
    program.chmod(0o700)
    for _ in range(20):
        running = subprocess.Popen([program])
        kill_processes_of(folder)
        assert running.poll() == -signal.SIGKILL
        running.wait()


@pytest.mark.skipif(image_of("RABBITMQ") is not None, reason="the node is no process of this machine")
def test_an_interrupted_pytest_leaves_no_node(folder: Path) -> None:
    """Ctrl-C while the node starts, before its process id is known."""
    test = folder / "test_interrupted.py"
    test.write_text(
        "from tests.support.rabbitmq import RabbitMQ\ndef test_node():\n    with RabbitMQ():\n        pass\n"
    )
    temporary = folder / "temporary"
    temporary.mkdir()
    command = ("-m", "pytest", "-p", "no:cacheprovider", f"--rootdir={folder}", "-c", os.devnull, str(test))
    running = subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        [node] = waiting(lambda: list(temporary.glob("regcred-rabbitmq-*")))
        waiting(lambda: processes_of(node), "the node starts")
        running.send_signal(signal.SIGINT)
        assert running.wait(PATIENCE) == pytest.ExitCode.INTERRUPTED
    finally:
        running.kill()
    assert processes_of(node) == []
    assert not node.exists()
