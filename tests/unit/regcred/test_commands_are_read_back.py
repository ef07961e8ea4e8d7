"""A command of the CLI returns when its effect can be read, because the next command can name what it created."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from regcred.__main__ import main
from tests.unit.regcred.conftest import TOKEN, Reply, Server, ok

ID = "0b9d0e1e-3f5c-4c52-9d43-6a2f3a0b9f11"
CREDENTIAL = {
    "id": ID,
    "name": "ci",
    "username": "u",
    "registry_host": "reg.example",
    "verification": {"status": "pending", "code": None, "detail": None, "checked_at": None},
}
VERIFICATION = {
    "id": ID,
    "trigger": "requested",
    "status": "pending",
    "code": None,
    "detail": None,
    "help": None,
    "checked_at": None,
    "duration_ms": None,
    "secret_version": 1,
    "probe": None,
}
IMPORTED = {
    "key": "reg.example",
    "registry_host": "reg.example",
    "status": "created",
    "credential_id": ID,
    "name": "ci",
    "reason": None,
}
FOUND = ok(CREDENTIAL, ETag='"1"')
PAGE = ok({"items": [], "next_cursor": None})


@pytest.mark.parametrize(
    ("arguments", "replies"),
    [
        (["import", "FILE"], [ok({"items": [IMPORTED]}, Regcred_Position=f"{ID}:1"), PAGE]),
        (
            ["credentials", "verify", ID, "--wait", "0"],
            [FOUND, ok(VERIFICATION, Regcred_Position=f"{ID}:2"), PAGE],
        ),
        (
            ["credentials", "remove", ID, "--yes"],
            [FOUND, Reply(204, b"", {"Regcred-Position": f"{ID}:2"}), PAGE],
        ),
    ],
    ids=["import", "verify", "remove"],
)
def test_the_last_request_waits_for_the_position_of_the_command(
    server: Server, tmp_path: Path, arguments: list[str], replies: list[Reply]
) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"auths": {}}))
    token = tmp_path / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    position = replies[-2].headers["Regcred-Position"]
    server.replies = replies
    environment = {
        "REGCRED_ADDRESS": server.address,
        "REGCRED_TOKEN_FILE": str(token),
        "REGCRED_ACCOUNT": "acme",
        "XDG_CONFIG_HOME": str(tmp_path),
    }
    given = [str(file) if argument == "FILE" else argument for argument in arguments]
    done = CliRunner().invoke(main, given, env=environment)
    assert done.exit_code == 0, done.output
    read = server.requests[-1]
    assert (read.method, read.headers["Regcred-Wait-For"]) == ("GET", position)
