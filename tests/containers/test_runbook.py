"""The commands of the runbook, run unchanged on a deployment under load, which continues to work afterwards."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from chassis.runtime.clock import now, rfc3339
from tests.containers.conftest import PASSWORD, USER
from tests.support.compose import REGISTRY, Deployment
from tests.support.load import Load, Target, check, everything
from tests.support.servers import ROOT
from tests.support.system import add_body
from tests.support.timing import waiting

TITLED = re.compile(r"^## ([^\n]+)\n(?:(?!^## ).)*?^```sh\n(.+?)^```", re.MULTILINE | re.DOTALL)
ELSEWHERE = "Restore into a new deployment"  # test_restore.py
SEAL = "Archive old rows of the audit trail"
LEFT = "Erase an account"  # needs an account that has left: below
STEPS = TITLED.findall((ROOT / "docs" / "runbook.md").read_text())
HERE = [title for title, _ in STEPS if title not in (ELSEWHERE, LEFT)]
CANARY = "canary-of-the-runbook"


def run(deployment: Deployment, folder: Path, commands: str, *, code: int = 0) -> str:
    """Run commands in a shell in that folder, as an operator does; their standard output."""
    done = subprocess.run(
        ["sh", "-eu", "-c", commands],
        cwd=folder,
        env={**os.environ, **deployment.variables, "COMPOSE_FILE": str(ROOT / "docker-compose.yml")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=1500,
    )
    assert done.returncode == code, (commands, done.stdout[-2000:], done.stderr[-3000:])
    return done.stdout


def step(title: str) -> str:
    """The commands of a section, unchanged."""
    return str(dict(STEPS)[title])


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runbook")


@pytest.mark.parametrize("title", HERE)
def test_the_commands_of_the_runbook_succeed(
    deployment: Deployment, target: Target, scratch: Path, title: str
) -> None:
    run(deployment, scratch, step(title))
    account = "runbook-" + re.sub(r"[^a-z]+", "-", title.lower()).strip("-")
    with Load(target, account) as load:
        pass
    check(target, account, load.answered)


def segments(deployment: Deployment, folder: Path, *command: str, code: int = 0) -> str:
    """`regcred audit segments`, as an auditor runs it: with the public key."""
    container = 'docker compose run --rm -T -v "$PWD/audit:/audit" migrate audit segments'
    name, *options = command
    words = (container, name, "/audit/segments --public-key /audit/log-key.pem.pub", *options)
    return run(deployment, folder, " ".join(words), code=code)


def test_the_audit_log_is_archived_and_an_account_is_erased(deployment: Deployment, scratch: Path) -> None:
    """The whole audit log is archived, as if it was old. Then `acme` leaves; the nightly archive continues."""
    base = "/v1/accounts/acme"
    with deployment.client() as client:
        stays = client.post("/v1/accounts/stays/credentials", json=add_body("team", REGISTRY, USER, PASSWORD))
        assert stays.status_code == 201, stays.text
        body = add_body("team", REGISTRY, USER, PASSWORD, description=CANARY)
        added = client.post(f"{base}/credentials", json=body)
        assert added.status_code == 201, added.text
        path = f"{base}/credentials/{added.json()['id']}"

        def verified() -> bool:
            found = client.get(path)  # the read models may not have it yet
            return found.status_code == 200 and found.json()["verification"]["status"] == "verified"

        waiting(verified, "it is verified")
        removed = client.delete(path, params={"force": "true", "reason": CANARY}, headers={"If-Match": "*"})
        assert removed.status_code == 204, removed.text

        def trail() -> list[dict[str, Any]]:
            return everything(client, f"{base}/audit-events")[::-1]

        def whole() -> list[dict[str, Any]]:
            found = trail()
            return found if "credential.removed" in {event["action"] for event in found} else []

        before = waiting(whole, "the trail is whole")
        assert CANARY in json.dumps(before)

        assert step(SEAL).count("--older-than 400") == 1
        said = run(deployment, scratch, step(SEAL).replace("--older-than 400", f"--until {rfc3339(now())}"))
        assert re.search(r"^archived \d{12}-\d{12}: ", said, re.MULTILINE), said
        [listed] = json.loads(segments(deployment, scratch, "list", "--json"))["items"]
        assert (listed["first_position"], listed["sealed_by"]) == (1, "cron")
        shown = segments(deployment, scratch, "show", "--account", "acme").splitlines()
        assert [json.loads(line) for line in shown][: len(before)] == before
        refused = client.get(f"{base}/audit-events", params={"until": before[-1]["time"]})
        assert (refused.status_code, refused.json()["code"]) == (410, "audit_sealed"), refused.text
        left = client.get(f"{base}/audit-events").json()
        assert left["sealed"]["segments"] == [listed["name"]], left["sealed"]

        said = run(deployment, scratch, step(LEFT))
        assert "the read models no longer contain its personal data" in said
        assert "the hashes of the log match" in said
        [erased] = [event for event in trail() if event["action"] == "account.erased"]
        assert (erased["reason"], erased["actor"]["name"]) == ("has left us", _login())
    assert not list(scratch.glob("audit/segments/*/acme.ndjson.gz"))
    assert list(scratch.glob("audit/segments/*/stays.ndjson.gz"))
    segments(deployment, scratch, "verify", "--erased", "acme")
    assert "broken" in segments(deployment, scratch, "verify", code=1)
    run(deployment, scratch, step(SEAL))


def _login() -> str:
    return subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()


def test_every_command_of_the_runbook_is_tested() -> None:
    assert len(STEPS) == 16
    assert len(HERE) == 14
