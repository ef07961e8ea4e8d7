"""`regcred why`, `regcred pull-secret` and closed pipes: the installed program against a running system."""

import base64
import csv
import json
import os
import stat
import subprocess
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import ONE_MACHINE_ONLY, PASSWORD, USER, Running
from tests.e2e.test_cli import REGCRED, Client
from tests.support.timing import PATIENCE, waiting

_numbers = count(1)
FOR_SHOP = ("--project", "shop")
WORKLOAD = ("--workload", "deployment/storefront")


@pytest.fixture
def cli(running: Running) -> Client:
    return Client(running, f"cli-platform-{next(_numbers)}")


def _secret(cli: Client, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Not `Client.run`: this is the one command that prints a secret."""
    return subprocess.run(
        [REGCRED, "pull-secret", *arguments, *FOR_SHOP, *WORKLOAD],
        env=cli.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def issued(cli: Client, count: int) -> list[dict[str, Any]]:
    """The audit events of this number of pull secrets, which appear after a while."""

    def read() -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = cli.json("audit", "--action", "secret.issued")["items"]
        return items if len(items) >= count else []

    return waiting(read, "the audit log has the pull secrets")


def test_why_explains_the_selected_credential_and_all_others(cli: Client) -> None:
    used = cli.add("shop-only", "--project", "shop")
    cli.add("other-project", "--project", "billing")
    cli.add("other-repository", "--prefix", "elsewhere/")
    image = f"{cli.registry}/team/app:1"
    printed = cli.run("why", image, *FOR_SHOP).stdout.splitlines()
    lines = {line.split()[0]: line for line in printed[1:]}
    assert " yes " in lines["shop-only"]
    assert "restricted to other projects" in lines["other-project"]
    assert "for other repositories" in lines["other-repository"]
    found = cli.json("why", image, *FOR_SHOP)
    assert found["selected"]["credential_id"] == used["id"]
    nobody = cli.run("why", image, "--project", "press", code=1)
    assert "may use none of them" in nobody.stderr
    assert "has no credential" in cli.run("why", "nginx", *FOR_SHOP, code=1).stderr


def test_a_pull_secret_is_written_to_a_private_file(cli: Client, tmp_path: Path) -> None:
    cli.add("team")
    image, file = f"{cli.registry}/team/app:1", tmp_path / "config.json"
    file.write_text("{}")
    file.chmod(0o644)
    done = _secret(cli, image, "--output", str(file))
    assert done.returncode == 0, done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    auth = json.loads(file.read_text())["auths"][cli.registry]["auth"]
    assert base64.b64decode(auth).decode() == f"{USER}:{PASSWORD}"
    basic = _secret(cli, image, "--format", "basic")
    assert json.loads(basic.stdout) == {"username": USER, "password": PASSWORD}
    assert [event["project_id"] for event in issued(cli, 2)] == ["shop", "shop"]


def test_the_exposure_report_is_a_checklist_that_freezes(cli: Client, tmp_path: Path) -> None:
    leaked, rotated = cli.add("leaked"), cli.add("rotated", "--prefix", "team/")
    for image in ("team/app:1", "other/app:1"):
        assert _secret(cli, f"{cli.registry}/{image}", "--output", str(tmp_path / "c")).returncode == 0
    issued(cli, 2)
    cli.json("credentials", "rotate", "rotated", "--password-stdin", secret=PASSWORD)
    lines = cli.run("exposure", *FOR_SHOP, *WORKLOAD, "--since", "1h").stdout.splitlines()
    assert [line.split()[:-1][:4] for line in lines[1:]] == [
        ["[", "]", "leaked", cli.registry],
        ["[x]", "rotated", cli.registry, "1"],
    ]
    assert cli.json("exposure", "--to-do")["items"][0]["credential_id"] == leaked["id"]
    ids = cli.run("exposure", "--to-do", "--ids").stdout.split()
    assert ids == [leaked["id"]]
    frozen = cli.json("credentials", "freeze", *ids, "--reason", "incident 17")["items"]
    assert [one["name"] for one in frozen] == ["leaked"]
    assert "current, frozen" in cli.run("exposure").stdout
    assert "no secret was issued" in cli.run("exposure", "--source", "192.0.2.1").stderr
    file = tmp_path / "checklist.csv"
    cli.run("exposure", "--csv", "--output", str(file))
    assert {rotated["id"], leaked["id"]} == {
        row["credential_id"] for row in csv.DictReader(file.read_text().splitlines())
    }
    assert "use only one" in cli.run("exposure", "--csv", "--ids", code=2).stderr


def test_a_workload_that_is_gone_prevents_no_removal(cli: Client, tmp_path: Path) -> None:
    used = cli.add("used")
    assert _secret(cli, f"{cli.registry}/team/app:1", "--output", str(tmp_path / "c")).returncode == 0
    gone = ("release-workload", "deployment/storefront", *FOR_SHOP)
    assert "1 usages would be released" in cli.run(*gone, "--dry-run").stderr
    cli.run("credentials", "remove", "used", "--yes", code=1)
    found = cli.json(*gone, "--reason", "scaled away")["released"]
    assert [one["credential_id"] for one in found] == [used["id"]]
    assert "0 usages are released" in cli.run("release-workload", *FOR_SHOP, "--whole-project").stderr
    assert "--whole-project" in cli.run("release-workload", *FOR_SHOP, code=2).stderr
    assert cli.json("credentials", "remove", "used", "--yes")["removed"] is True


def test_a_refusal_does_not_change_the_output_file(cli: Client, tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text("{}")
    done = _secret(cli, f"{cli.registry}/team/app:1", "--output", str(file))
    assert done.returncode == 1
    assert "no_matching_credential" in done.stderr
    assert file.read_text() == "{}"


def test_a_terminal_shows_a_secret_only_with_reveal(cli: Client) -> None:
    cli.add("team")
    script = f"{REGCRED} pull-secret {cli.registry}/team/app:1 --project shop --workload job/a"
    shown = subprocess.run(
        ["script", "-qec", script, "/dev/null"],
        env={**cli.environment, "TERM": "dumb"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "a terminal would show the secret" in shown.stdout
    revealed = subprocess.run(
        ["script", "-qec", f"{script} --reveal --format basic", "/dev/null"],
        env={**cli.environment, "TERM": "dumb"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert PASSWORD in revealed.stdout
    [event] = issued(cli, 1)
    assert event["after"]["workload"] == {"kind": "job", "name": "a"}


@ONE_MACHINE_ONLY
@pytest.mark.parametrize("arguments", [("--ndjson",), ("--csv",), ("--json",), ()])
def test_a_closed_pipe_ends_the_program_without_an_error_message(
    cli: Client, arguments: tuple[str, ...]
) -> None:
    cli.add("team")
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [REGCRED, "audit", *arguments],
            env=cli.environment,
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    finally:
        os.close(writing)
    assert done.stderr == ""


def test_on_behalf_of_is_recorded_in_the_audit_log(cli: Client) -> None:
    cli.run("credentials", "list", "--on-behalf-of", "octo@example.com", code=0)
    cli.add("team", "--on-behalf-of", "octo@example.com")
    [added] = cli.json("audit", "--action", "credential.added")["items"]
    assert added["on_behalf_of"] == "octo@example.com"
