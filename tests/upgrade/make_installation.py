"""`python -m tests.upgrade.make_installation FOLDER` writes the fixture of a release.

It runs `regcred up`, lets users of five accounts work until the log has about 2,000 events of all types, backs
the installation up, and notes what its API responds. Run it once with each release. A fixture never changes.
"""

import base64
import gzip
import json
import sys
import tempfile
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import psycopg

from chassis.runtime.clock import now, rfc3339
from launcher.demo.registry import DemoRegistry
from tests.support.system import System, add_body
from tests.support.timing import waiting
from tests.upgrade.installation import PASSPHRASE, PORT, REGISTRY, contents, operate, settings

Json = dict[str, Any]

ACCOUNTS = ("acme", "globex", "initech", "umbrella", "hooli")
CREDENTIALS = 40  # per account
PULLS = 310  # per account
PASSWORD = "fixture-password"
ROTATED = "fixture-password-2"
LAPSE = timedelta(seconds=4)  # after which the secrets with an expiry have expired


def main(folder: Path) -> None:
    """Write `installation.regcred`, `passphrase` and `contents.json.gz` into a new folder."""
    folder.mkdir(parents=True)
    (folder / "passphrase").write_text(PASSPHRASE + "\n")
    jwt = _jwt()
    logins = [("octo", PASSWORD), ("octo", ROTATED), ("octo", jwt)]
    with (
        tempfile.TemporaryDirectory() as home,
        DemoRegistry(PORT, logins=logins, tags={"team/app": ["1", "2"]}),
        System(Path(home) / "state", settings()) as system,
    ):
        with system.client() as client:
            _work(client, ACCOUNTS[0], jwt)
            archived_until = rfc3339(now())
            for account in ACCOUNTS[1:-1]:
                _work(client, account, jwt)
            _leave(client, ACCOUNTS[-1])
        operate(
            system.home, "accounts", "erase", ACCOUNTS[-1], "--reason", "has left", "--as", "ops", "--yes"
        )
        operate(system.home, "log", "keygen")
        operate(
            system.home, "audit", "seal", "--until", archived_until, "--into", str(Path(home) / "segments")
        )
        _settle(system)
        found = contents(system, ACCOUNTS)
        text = json.dumps(found, indent=1, sort_keys=True)
        (folder / "contents.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
        operate(
            system.home,
            "backup",
            str(folder / "installation.regcred"),
            "--with-keys",
            "--passphrase-file",
            str(folder / "passphrase"),
        )
        print(_types(system))


def _work(client: httpx2.Client, account: str, jwt: str) -> None:
    """What the users and the platform do in one account."""
    path = f"/v1/accounts/{account}"
    credentials = [f"{path}/credentials/{_add(client, path, number, jwt)}" for number in range(CREDENTIALS)]
    for number, credential in enumerate(credentials):
        _edit(client, credential, number)
    for number in range(PULLS):
        body = {
            "project_id": "shop" if number % 2 else "blog",
            "workload": {"kind": "service", "name": f"web-{number % 7}"},
            "images": [f"{REGISTRY}/team/app:{number % 3}"],
        }
        _ok(client.post(f"{path}/pull-secrets", json=body), 200)
    unknown = {
        "project_id": "shop",
        "workload": {"kind": "job", "name": "nightly"},
        "images": ["ghcr.io/a/b:1"],
    }
    for _ in range(10):
        _ok(client.post(f"{path}/pull-secrets", json=unknown), 404)
    for credential in credentials[-4:]:
        _change(client, "DELETE", f"{credential}?force=true&reason=unused", None)
    for _ in range(3):
        _ok(client.get(f"{path}/audit-events"), 200)


def _add(client: httpx2.Client, path: str, number: int, jwt: str) -> str:
    password = {0: "wrong", 1: jwt}.get(number, PASSWORD)
    more: Json = {"description": f"number {number} of {path}"}
    if number == 2:
        more["expires_at"] = rfc3339(now() + LAPSE)
    if number % 4 == 3:
        more["restrictions"] = {"restricted": True, "projects": ["shop", f"p-{number}"]}
    body = add_body(f"credential-{number}", REGISTRY, "octo", password, **more)
    return str(_ok(client.post(f"{path}/credentials", json=body), 201).json()["id"])


def _edit(client: httpx2.Client, credential: str, number: int) -> None:
    if number % 3 == 0:
        _change(client, "PATCH", credential, {"description": f"changed {number}"})
    if number % 5 == 0:
        login = {"kind": "username_password", "username": "octo", "password": ROTATED}
        _change(client, "PUT", f"{credential}/secret", {"credential": login})
    if number % 8 == 1:
        _change(client, "PUT", f"{credential}/restrictions", {"restricted": True, "projects": ["shop"]})
    if number % 6 == 0:
        client.post(f"{credential}/verifications", headers={"Prefer": "wait=10"}).raise_for_status()


def _leave(client: httpx2.Client, account: str) -> None:
    """An account that removes its credentials, before its personal data is erased."""
    body = add_body("last", REGISTRY, "octo", PASSWORD, description="personal data")
    added = _ok(client.post(f"/v1/accounts/{account}/credentials", json=body), 201).json()["id"]
    _change(client, "DELETE", f"/v1/accounts/{account}/credentials/{added}?force=true&reason=left", None)


def _change(client: httpx2.Client, method: str, path: str, body: Json | None) -> None:
    answer = client.request(method, path, json=body, headers={"If-Match": "*"})
    assert answer.status_code < 300, answer.text


def _ok(response: httpx2.Response, status: int) -> httpx2.Response:
    assert response.status_code == status, response.text
    return response


def _jwt() -> str:
    """A password with an expiry that the verifier discovers."""
    parts = ({"alg": "none"}, {"exp": 4102444800, "sub": "octo"})
    return (
        ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
        + "."
    )


def _settle(system: System) -> None:
    """Wait until every secret with an expiry has expired and every consumer is at the end of the log."""
    waiting(lambda: _types(system).get("verification.expiry_passed", 0) >= len(ACCOUNTS) - 1, "they expire")
    operate(system.home, "projections", "list")


def _types(system: System) -> Counter[str]:
    with psycopg.connect(system.database_url()) as connection:
        return Counter(
            dict(connection.execute("SELECT type, count(*) FROM es.events GROUP BY type").fetchall())
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
