"""`--dry-run` of commands that take access from nobody: the request, the output, and servers without a dry run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from regcred.__main__ import main
from tests.unit.regcred.conftest import TOKEN, Server, ok

ID = "5a8f6f0e-0d55-4d3c-9a55-0c2f6c1f7a10"
ACCOUNT = "/v1/accounts/acme"
STATE = {"status": "pending", "code": None, "detail": None, "checked_at": None}
CREDENTIAL: dict[str, Any] = {
    "id": None,
    "name": "team",
    "account_id": "acme",
    "provider": "github",
    "registry_host": "ghcr.io",
    "location": None,
    "username": "octo",
    "description": "",
    "secret_kind": "username_password",
    "secret_version": 1,
    "scope": {"pull": True, "push": False},
    "repository_prefixes": [],
    "restrictions": {"restricted": False, "projects": []},
    "expires_at": None,
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
    "version": 1,
    "verification": STATE,
    "dry_run": True,
}
TOKEN_VIEW = {
    "id": None,
    "name": "ci",
    "scopes": ["secrets:issue"],
    "accounts": ["acme"],
    "projects": None,
    "created_at": "2026-01-01T00:00:00Z",
    "expires_at": None,
    "revoked_at": None,
    "dry_run": True,
}
VERIFICATION = {"id": None, "secret_version": 3, "status": "pending", "dry_run": True}
DECISION = {
    "credentials": [{"credential_id": ID, "images": ["ghcr.io/acme/shop:1"]}],
    "anonymous_images": ["docker.io/library/nginx:latest"],
    "expires_at": None,
    "results": [
        {"image": "quay.io/x/y:1", "result": "refused", "code": "no_eligible_credential", "detail": "why"}
    ],
    "dry_run": True,
}
IMPORT = {"items": [], "left_out": [{"name": "shop/db", "reason": "its type is Opaque"}], "dry_run": True}
PULL = ["pull-secret", "ghcr.io/acme/shop:1", "--project", "shop", "--workload", "job/x"]
ROUTE = "/v1/accounts/{account_id}"
Run = Callable[..., Result]
# Arguments, the request, its route in the OpenAPI document, the response, texts of the output, and the exit code.
CASES: dict[str, tuple[list[str], tuple[str, str], str, Any, list[str], int]] = {
    "add": (
        ["credentials", "add", "team", "--provider", "github", "--username", "octo", "--password-stdin"],
        ("POST", f"{ACCOUNT}/credentials?dry_run=true"),
        f"{ROUTE}/credentials",
        CREDENTIAL,
        ["ghcr.io", "team would be saved and verified"],
        0,
    ),
    "verify": (
        ["credentials", "verify", ID],
        ("POST", f"{ACCOUNT}/credentials/{ID}/verifications?dry_run=true"),
        f"{ROUTE}/credentials/{{credential_id}}/verifications",
        VERIFICATION,
        ["it would be verified again"],
        0,
    ),
    "tokens make": (
        ["tokens", "make", "ci", "--scope", "secrets:issue", "--account", "acme"],
        ("POST", "/v1/service-tokens?dry_run=true"),
        "/v1/service-tokens",
        TOKEN_VIEW,
        ["secrets:issue", "token ci would be created"],
        0,
    ),
    "tokens revoke": (
        ["tokens", "revoke", "abc"],
        ("DELETE", "/v1/service-tokens/abc?dry_run=true"),
        "/v1/service-tokens/{token_id}",
        {**TOKEN_VIEW, "id": "abc"},
        ["token abc would be revoked"],
        0,
    ),
    "pull-secret": (
        [*PULL, "--allow-partial"],
        ("POST", f"{ACCOUNT}/pull-secrets?dry_run=true"),
        f"{ROUTE}/pull-secrets",
        DECISION,
        [ID, "none, anonymous", "refused: no_eligible_credential", "no secret was issued"],
        1,
    ),
    "import": (
        ["import", "FILE"],
        ("POST", f"{ACCOUNT}/imports?dry_run=true"),
        f"{ROUTE}/imports",
        IMPORT,
        ["1 left out", "shop/db: its type is Opaque"],
        1,
    ),
}


@pytest.fixture
def run(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    token, file = tmp_path / "token", tmp_path / "config.json"
    token.write_text(TOKEN)
    token.chmod(0o600)
    file.write_text("{}")
    for name, value in {
        "REGCRED_TOKEN_FILE": str(token),
        "REGCRED_ADDRESS": server.address,
        "REGCRED_ACCOUNT": "acme",
        "XDG_CONFIG_HOME": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)

    def invoke(*arguments: str) -> Result:
        given = [str(file) if argument == "FILE" else argument for argument in arguments]
        return CliRunner().invoke(main, given, input="secret\n")

    return invoke


def interface(route: str, method: str, *parameters: str) -> dict[str, Any]:
    operation = {"parameters": [{"name": name, "in": "query"} for name in parameters]}
    return {"paths": {route: {method.lower(): operation}}}


@pytest.mark.parametrize("case", CASES)
def test_a_dry_run_shows_what_would_happen(case: str, server: Server, run: Run) -> None:
    arguments, (method, path), route, answer, texts, code = CASES[case]
    found = [ok({**CREDENTIAL, "id": ID}, ETag='"3"')] if case == "verify" else []
    server.replies = [*found, ok(interface(route, method, "dry_run")), ok(answer)]
    done = run(*arguments, "--dry-run")
    assert done.exit_code == code, done.output
    assert (server.requests[-1].method, server.requests[-1].path) == (method, path)
    assert "Idempotency-Key" not in server.requests[-1].headers
    assert [text for text in texts if text not in done.output] == []
    server.replies = [*found, ok(interface(route, method, "dry_run")), ok(answer)]
    assert json.loads(run(*arguments, "--dry-run", "--json").stdout) == answer


@pytest.mark.parametrize("case", [name for name in CASES if name != "import"])
def test_a_server_that_would_do_it_gets_no_dry_run(case: str, server: Server, run: Run) -> None:
    arguments, (method, _), route, _, _, _ = CASES[case]
    found = [ok({**CREDENTIAL, "id": ID}, ETag='"3"')] if case == "verify" else []
    server.replies = [*found, ok(interface(route, method))]
    refused = run(*arguments, "--dry-run")
    assert (refused.exit_code, "no dry run" in refused.output) == (1, True)
    assert {request.method for request in server.requests} == {"GET"}


def test_an_import_by_a_server_of_0_9_0_has_the_dry_run_in_its_body(server: Server, run: Run) -> None:
    server.replies = [ok(interface(f"{ROUTE}/imports", "POST")), ok(IMPORT)]
    run("import", "FILE", "--dry-run")
    assert server.requests[-1].path == f"{ACCOUNT}/imports"
    assert json.loads(server.requests[-1].body)["dry_run"] is True


def test_a_partial_secret_is_printed_and_its_refusals_are_named(server: Server, run: Run) -> None:
    server.replies = [ok({**DECISION, "docker_config": {"auths": {}}})]
    done = run(*PULL, "--allow-partial")
    assert (done.exit_code, json.loads(done.stdout)) == (1, {"auths": {}})
    assert "quay.io/x/y:1 is refused (no_eligible_credential): why" in done.stderr
    assert json.loads(server.requests[-1].body)["allow_partial"] is True


def commands(group: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], set[str]]:
    """The options of each command of the CLI."""
    context = click.Context(group)
    found: dict[tuple[str, ...], set[str]] = {}
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            found |= commands(command, (*path, name))
        else:
            found[*path, name] = {option for parameter in command.params for option in parameter.opts}
    return found


READING = {"test", "list", "summary", "show", "usages", "history"}


def test_each_command_of_the_api_that_changes_something_has_a_dry_run() -> None:
    changing = {
        path: options
        for path, options in commands(main).items()
        if path[0] in {"credentials", "tokens", "import", "pull-secret"} and path[-1] not in READING
    }
    assert len(changing) >= 12
    assert [path for path, options in changing.items() if "--dry-run" not in options] == []
