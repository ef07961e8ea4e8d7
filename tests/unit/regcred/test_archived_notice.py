"""The archived part of the audit trail is reported with the list, and is in its JSON."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from regcred.__main__ import main
from tests.unit.regcred.conftest import TOKEN, Reply, Server, ok

SEALED = {"up_to": 8, "count": 1, "segments": ["000000000001-000000000008"]}
EVENT: dict[str, Any] = {
    "position": 9,
    "time": "2026-01-02T03:04:05.678901Z",
    "action": "audit.sealed",
    "outcome": "success",
    "reason": None,
    "actor": {"type": "user", "id": "operator:ops", "name": "ops"},
    "on_behalf_of": None,
    "credential_name": None,
    "registry_host": None,
    "project_id": None,
    "before": None,
    "after": {"segment": "000000000001-000000000008", "events": 5},
}


def run(server: Server, token: Path, *arguments: str) -> Result:
    environment = {
        "REGCRED_TOKEN_FILE": str(token),
        "REGCRED_ADDRESS": server.address,
        "REGCRED_ACCOUNT": "acme",
    }
    return CliRunner().invoke(main, ["audit", "list", *arguments], env=environment)


@pytest.mark.parametrize("sealed", [SEALED, None])
def test_the_archived_part_is_reported_with_the_list(
    server: Server, tmp_path: Path, sealed: dict[str, Any] | None
) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN)
    answer = {"items": [EVENT], "next_cursor": None, "previous_cursor": None, "sealed": sealed}
    server.replies = [ok(answer)]
    shown = run(server, token)
    assert shown.exit_code == 0, shown.output
    assert "5 events into 000000000001-000000000008" in shown.stdout
    assert ("up to position 8 are archived" in shown.stderr) == (sealed is not None)
    server.replies = [ok(answer)]
    assert json.loads(run(server, token, "--json").stdout)["sealed"] == sealed


@pytest.mark.parametrize("sealed", ["up_to=8, count=1, segments=000000000001-000000000008", None])
def test_the_archived_part_is_reported_with_an_export(
    server: Server, tmp_path: Path, sealed: str | None
) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN)
    headers = {"Content-Type": "text/csv", **({"Regcred-Audit-Sealed": sealed} if sealed else {})}
    server.replies = [Reply(200, b"position\n9\n", headers)]
    shown = run(server, token, "--csv")
    assert (shown.exit_code, shown.stdout) == (0, "position\n9\n"), shown.output
    assert ("000000000001-000000000008" in shown.stderr) == (sealed is not None)
