"""The runbook's commands, run as they stand there, on a deployment that has work; afterwards it does its work."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.compose import Deployment
from tests.support.load import Load, Target, check
from tests.support.servers import ROOT

TITLED = re.compile(r"^## (.+?)\n(?:(?!^## ).)*?^```sh\n(.+?)^```", re.MULTILINE | re.DOTALL)
ELSEWHERE = "Restore into a new deployment"  # test_restore.py
STEPS = TITLED.findall((ROOT / "docs" / "runbook.md").read_text())
HERE = [(title, commands) for title, commands in STEPS if title != ELSEWHERE]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runbook")


@pytest.mark.parametrize(("title", "commands"), HERE, ids=[title for title, _ in HERE])
def test_what_it_says_works(
    deployment: Deployment, target: Target, scratch: Path, title: str, commands: str
) -> None:
    done = subprocess.run(
        ["sh", "-eu", "-c", commands],
        cwd=scratch,
        env={**os.environ, **deployment.variables, "COMPOSE_FILE": str(ROOT / "docker-compose.yml")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, (title, done.stdout[-2000:], done.stderr[-3000:])
    account = "runbook-" + re.sub(r"[^a-z]+", "-", title.lower()).strip("-")
    with Load(target, account) as load:
        pass
    check(target, account, load.answered)


def test_every_step_is_there() -> None:
    assert len(STEPS) == 12
    assert len(HERE) == 11
