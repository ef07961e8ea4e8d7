"""Completion as the scripts of the shells request it: by a variable, with the words so far."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from regcred.__main__ import main
from tests.support.timing import PATIENCE, waiting
from tests.unit.regcred.conftest import TOKEN, Server, ok

REGCRED = Path(sys.executable).with_name("regcred")


def _offered(line: str, tmp_path: Path, **environment: str) -> list[str]:
    """The words that completion offers to bash at the end of `line`; standard error must be empty."""
    words = line.split(" ")
    done = subprocess.run(
        [REGCRED],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "_REGCRED_COMPLETE": "bash_complete",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
            **environment,
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stderr == ""
    return [entry.removeprefix("plain,") for entry in done.stdout.split("\n") if entry]


def _offered_in_time(line: str, tmp_path: Path, **environment: str) -> list[str]:
    """As `_offered`, for names from the server: completion offers none if the server is slow."""
    return waiting(lambda: _offered(line, tmp_path, **environment), "the server's words are offered")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(shell: str) -> None:
    done = CliRunner().invoke(main, ["completion", shell])
    assert done.exit_code == 0
    assert f"_REGCRED_COMPLETE={shell}_complete" in done.stdout


def test_bash_accepts_the_completion_script(tmp_path: Path) -> None:
    script = CliRunner().invoke(main, ["completion", "bash"]).stdout
    file = tmp_path / "completion"
    file.write_text(script)
    done = subprocess.run(
        ["bash", "-c", f"source {file}; complete -p regcred"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().endswith("regcred")
    assert done.stderr == ""


def test_commands_and_actions_are_completed_without_a_server(tmp_path: Path) -> None:
    assert _offered("regcred cre", tmp_path) == ["credentials"]
    assert _offered("regcred de", tmp_path) == ["deadletters", "demo"]
    assert "secret.refused" in _offered("regcred audit --action secret.", tmp_path)


def test_providers_come_from_the_server(server: Server, tmp_path: Path) -> None:
    known = [{"id": name, "name": name.title()} for name in ("dockerhub", "github", "gitlab")]
    server.replies = [ok({"items": known, "next_cursor": None})]
    (tmp_path / "token").write_text(TOKEN)
    reached = {"REGCRED_ADDRESS": server.address, "REGCRED_TOKEN_FILE": str(tmp_path / "token")}
    assert _offered_in_time("regcred providers doc", tmp_path, **reached) == ["dockerhub"]
    line = "regcred credentials add x --provider git"
    assert _offered_in_time(line, tmp_path, **reached) == ["github", "gitlab"]


def test_names_of_credentials_come_from_the_server(server: Server, tmp_path: Path) -> None:
    names = ["team-ghcr", "Team-hub", "own-team", "team two"]
    items = [{"name": name, "registry_host": "ghcr.io"} for name in names]
    server.replies = [ok({"items": items, "next_cursor": None})]
    (tmp_path / "token").write_text(TOKEN)
    reached = {"REGCRED_ADDRESS": server.address, "REGCRED_TOKEN_FILE": str(tmp_path / "token")}
    line = "regcred credentials show te"
    assert _offered_in_time(line, tmp_path, REGCRED_ACCOUNT="acme", **reached) == ["team-ghcr", "Team-hub"]
    assert "name=te" in server.requests[0].path
    assert _offered(line, tmp_path, **reached) == []  # of no account
    assert _offered_in_time("regcred credentials show --account acme te", tmp_path, **reached)


def test_completion_uses_the_default_profile(server: Server, tmp_path: Path) -> None:
    server.replies = [ok({"items": [{"name": "hub", "registry_host": "docker.io"}], "next_cursor": None})]
    (tmp_path / "token").write_text(TOKEN)
    config = tmp_path / ".config" / "regcred" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(
        f'default = "a"\n[profiles.a]\naddress = "{server.address}"\naccount = "acme"\n'
        f'token_file = "{tmp_path}/token"\n'
    )
    assert _offered_in_time("regcred audit --credential ", tmp_path) == ["hub"]
    config.write_text("not TOML")
    assert _offered("regcred audit --credential ", tmp_path) == []


def test_completion_offers_no_names_if_no_server_responds(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    away = {"REGCRED_ADDRESS": "http://127.0.0.1:9", "REGCRED_TOKEN_FILE": str(tmp_path / "token")}
    assert _offered("regcred credentials show ", tmp_path, REGCRED_ACCOUNT="acme", **away) == []
    assert _offered("regcred providers ", tmp_path, **away) == []
