"""`--dry-run` of a removal and a restriction, and `regcred credentials usages`: the request, and the output."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from regcred.__main__ import main
from tests.unit.regcred.conftest import TOKEN, Server, ok

ID = "5a8f6f0e-0d55-4d3c-9a55-0c2f6c1f7a10"
OTHER = "5a8f6f0e-0d55-4d3c-9a55-0c2f6c1f7a11"
CREDENTIAL = {"id": ID, "name": "team", "username": "octo", "registry_host": "ghcr.io"}
USER: dict[str, Any] = {
    "project_id": "shop",
    "workload": {"kind": "deployment", "name": "front"},
    "secret_version": 3,
    "last_used_at": "2026-01-02T03:04:05.678901Z",
}
ONE = f"/v1/accounts/acme/credentials/{ID}"
Run = Callable[..., Result]


def interface(*parameters: str) -> dict[str, Any]:
    """The description of an API whose commands have these parameters."""
    path = "/v1/accounts/{account_id}/credentials/{credential_id}"
    operation = {"parameters": [{"name": name, "in": "query"} for name in parameters]}
    operations = {"patch": operation, "put": operation}
    return {"paths": {path + part: operations for part in ("", "/secret", "/restrictions")}}


@pytest.fixture
def run(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    token = tmp_path / "token"
    token.write_text(TOKEN)
    monkeypatch.setenv("REGCRED_TOKEN_FILE", str(token))

    def invoke(*arguments: str) -> Result:
        where = ["--address", server.address, "--account", "acme"]
        return CliRunner().invoke(main, ["credentials", *arguments, *where], input="secret\n")

    return invoke


@pytest.mark.parametrize(
    ("arguments", "request_line"),
    [
        (["remove", ID, "--dry-run"], ("DELETE", f"{ONE}?dry_run=true")),
        (["restrict", ID, "--nobody", "--dry-run"], ("PUT", f"{ONE}/restrictions?dry_run=true")),
        (["edit", ID, "--prefix", "acme/", "--dry-run"], ("PATCH", f"{ONE}?dry_run=true")),
        (
            ["rotate", ID, "--password-stdin", "--registry", "quay.io", "--dry-run"],
            ("PUT", f"{ONE}/secret?dry_run=true"),
        ),
    ],
)
def test_a_dry_run_shows_the_affected_workloads(
    server: Server, run: Run, arguments: list[str], request_line: tuple[str, str]
) -> None:
    users = [{**USER, "served_by": []}, {**USER, "project_id": "blog", "served_by": [OTHER]}]
    impact = {"dry_run": True, "users": users, "needs_force": True}
    described = [] if arguments[0] == "remove" else [ok(interface("dry_run"))]
    server.replies = [ok(CREDENTIAL, ETag='"7"'), *described, ok(impact)]
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["PROJECT", "WORKLOAD", "SECRET", "LAST", "USED", "REPLACED", "BY"],
        ["shop", "deployment", "front", "3", "2026-01-02T03:04:05Z", "none"],
        ["blog", "deployment", "front", "3", "2026-01-02T03:04:05Z", OTHER],
    ]
    assert "would lose team, and this would need --force; nothing was changed" in done.stderr
    assert [(one.method, one.path) for one in server.requests[1 + len(described) :]] == [request_line]
    assert server.requests[-1].headers["If-Match"] == '"7"'

    server.replies = [ok(CREDENTIAL, ETag='"7"'), *described, ok(impact)]
    assert json.loads(run(*arguments, "--json").stdout) == impact
    unused = {"dry_run": True, "users": [], "needs_force": False}
    server.replies = [ok(CREDENTIAL, ETag='"7"'), *described, ok(unused)]
    nobody = run(*arguments)
    assert (nobody.stdout, "no workload would lose team" in nobody.stderr) == ("", True)


@pytest.mark.parametrize(
    "arguments",
    [
        ["edit", ID, "--name", "other"],
        ["restrict", ID, "--nobody"],
        ["rotate", ID, "--password-stdin", "--wait", "0"],
    ],
)
def test_a_change_is_forced_with_a_reason(server: Server, run: Run, arguments: list[str]) -> None:
    assert "--force needs --reason" in run(*arguments, "--force", "--reason", " ").output
    server.replies = [ok(CREDENTIAL, ETag='"7"'), ok(CREDENTIAL), ok(CREDENTIAL)]
    run(*arguments, "--force", "--reason", "moved")
    assert server.requests[1].path.endswith("?force=true&reason=moved")


def test_a_server_that_would_make_the_change_gets_no_dry_run(server: Server, run: Run) -> None:
    server.replies = [ok(CREDENTIAL, ETag='"7"'), ok(interface())]
    refused = run("edit", ID, "--name", "other", "--dry-run")
    assert (refused.exit_code, "no dry run" in refused.output) == (1, True)
    assert [one.method for one in server.requests] == ["GET", "GET"]


def test_usages_are_shown(server: Server, run: Run) -> None:
    usage = {
        **USER,
        "first_used_at": "2026-01-01T00:00:00Z",
        "images": ["ghcr.io/acme/shop:1", "ghcr.io/x/y:2"],
    }
    server.replies = [ok({"items": [usage], "next_cursor": None})]
    done = run("usages", ID)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[1].endswith(
        "2026-01-01T00:00:00Z  -           ghcr.io/acme/shop:1, ghcr.io/x/y:2"
    )
    server.replies = [ok({"items": [], "next_cursor": None})]
    assert "no workload has used this credential" in run("usages", ID).stderr
