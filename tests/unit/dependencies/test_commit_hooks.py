"""The checks before a commit (.pre-commit-config.yaml) use what `make setup-dev` installs, and limit subjects."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.servers import ROOT

CONFIG = ROOT / ".pre-commit-config.yaml"
PRE_COMMIT = Path(sys.executable).with_name("pre-commit")


def test_hooks_download_nothing() -> None:
    [repository] = yaml.safe_load(CONFIG.read_text())["repos"]
    assert repository["repo"] == "local"
    for hook in repository["hooks"]:
        assert hook["language"] in {"system", "pygrep"}, "other languages install something"
        assert "additional_dependencies" not in hook
        if hook["language"] == "system":
            program = Path(hook["entry"].split()[0])
            assert program.parent == Path(".venv/bin")
            assert Path(sys.executable).with_name(program.name).is_file()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """An empty repository with this configuration and installed hooks for messages."""
    shutil.copy(CONFIG, tmp_path)
    for command in (
        ("git", "init", "--quiet"),
        ("git", "add", CONFIG.name),
        (str(PRE_COMMIT), "install", "--hook-type", "commit-msg"),
    ):
        subprocess.run(command, cwd=tmp_path, env=environment(tmp_path), check=True, capture_output=True)
    return tmp_path


def environment(folder: Path) -> dict[str, str]:
    """The environment of git in `folder`, without the variables of a git that runs these tests."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    who = {
        f"GIT_{role}_{what}": "t@example.com"
        for role in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    return {**inherited, **who, "PRE_COMMIT_HOME": str(folder / ".git" / "pre-commit"), "HOME": str(folder)}


@pytest.mark.parametrize(
    ("message", "taken"),
    [
        ("x" * 72, True),
        ("x" * 73, False),
        ("ü" * 72, True),
        ("ü" * 73, False),
        (f"Say why below\n\n{'x' * 100}", True),
    ],
)
def test_a_commit_with_a_long_subject_is_refused(repository: Path, message: str, taken: bool) -> None:
    done = subprocess.run(
        ["git", "commit", "--allow-empty", "--message", message],
        cwd=repository,
        env=environment(repository),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) == taken, done.stdout + done.stderr
    assert taken or "has at most 72 characters" in done.stderr
