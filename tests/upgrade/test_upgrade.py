"""Upgrades the installation of each release with this version, and compares what the API responds."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from launcher.demo.registry import DemoRegistry
from tests.support.system import System, add_body
from tests.support.timing import waiting
from tests.upgrade.installation import PORT, REGISTRY, Contents, contents, get, operate, pages, settings

FOLDER = Path(__file__).parent
RELEASES = sorted(file.parent.name for file in FOLDER.glob("*/installation.regcred"))
LOGIN = ("octo", "fixture-password")
REMOVED = {"secret_fingerprint"}  # a secret could be guessed with it (ADR 11)


@dataclass(frozen=True)
class Upgraded:
    """The installation of a release that runs with this version, and what its API responded before."""

    system: System
    before: Contents


@pytest.fixture(scope="module", params=RELEASES)
def upgraded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upgraded]:
    fixture = FOLDER / request.param
    system = System(tmp_path_factory.mktemp("upgraded") / "state", settings())
    operate(
        system.home,
        "restore",
        str(fixture / "installation.regcred"),
        "--passphrase-file",
        str(fixture / "passphrase"),
    )
    before = json.loads(gzip.decompress((fixture / "contents.json.gz").read_bytes()))
    with DemoRegistry(PORT, logins=[LOGIN], tags={}), system:
        yield Upgraded(system, before)


def test_there_is_a_fixture() -> None:
    assert RELEASES[0] == "0.9.0"


def test_the_api_responds_as_before(upgraded: Upgraded) -> None:
    after = contents(upgraded.system, list(upgraded.before))
    assert differences(upgraded.before, after) == []


def test_the_log_is_intact_and_the_doctor_finds_no_failure(upgraded: Upgraded) -> None:
    assert "intact" in operate(upgraded.system.home, "log", "verify")
    assert json.loads(operate(upgraded.system.home, "doctor", "--json"))["healthy"]


def test_every_credential_can_be_used_and_changed(upgraded: Upgraded) -> None:
    with upgraded.system.client() as client:
        for account, known in upgraded.before.items():
            for credential_id in known["credentials"]:
                path = f"/v1/accounts/{account}/credentials/{credential_id}"
                changed = client.patch(path, json={"description": "upgraded"}, headers={"If-Match": "*"})
                assert changed.status_code == 200, changed.text
            if known["credentials"]:
                body = {
                    "project_id": "shop",
                    "workload": {"kind": "service", "name": "web"},
                    "images": [f"{REGISTRY}/team/app:1"],
                }
                issued = client.post(f"/v1/accounts/{account}/pull-secrets", json=body)
                assert issued.status_code == 200, issued.text
        body = add_body("added", REGISTRY, *LOGIN)
        added = client.post("/v1/accounts/acme/credentials", json=body)
        assert added.status_code == 201, added.text
        path = f"/v1/accounts/acme/credentials/{added.json()['id']}"
        waiting(lambda: client.get(path).status_code == 200, "it is listed")
        waiting(lambda: get(client, path)["verification"]["status"] == "verified", "it is verified")


def test_rebuilt_read_models_show_the_same(upgraded: Upgraded) -> None:
    """Every event of the release can be read, and every projection handles it."""
    accounts = list(upgraded.before)
    before = contents(upgraded.system, accounts)
    with upgraded.system.client() as client:
        trail = list(pages(client, "/v1/accounts/globex/audit-events"))
    operate(upgraded.system.home, "projections", "rebuild", "--switch")
    assert contents(upgraded.system, accounts) == before
    with upgraded.system.client() as client:
        rebuilt = {event["id"] for event in pages(client, "/v1/accounts/globex/audit-events")}
    assert {event["id"] for event in trail} <= rebuilt


def differences(before: Any, after: Any, path: str = "") -> list[str]:
    """Where `after` lacks something of `before`. Fields that `before` does not have are no difference."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [
            found
            for name, value in before.items()
            if name not in REMOVED or name in after
            for found in differences(value, after.get(name, "(missing)"), f"{path}/{name}")
        ]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [
            found
            for number, (one, other) in enumerate(zip(before, after, strict=True))
            for found in differences(one, other, f"{path}/{number}")
        ]
    return [] if before == after else [f"{path}: {before!r} became {after!r}"]
