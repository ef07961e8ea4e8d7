"""The installation of a fixture: how it is run, and what its API responds."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx2

from tests.support.system import System
from tests.support.timing import PATIENCE

Json = dict[str, Any]
Contents = dict[str, Json]  # by account

PASSPHRASE = "the passphrase of the fixtures"
PORT = 5099  # of the registry, which is part of the address in every credential
REGISTRY = f"127.0.0.1:{PORT}"
LISTS = ("verifications", "usages", "events")  # of one credential


def settings() -> Mapping[str, str]:
    """The settings of a fixture and of its upgrade. A scheduled login would change what the API responds."""
    return {
        "REGCRED_VERIFIER_ALLOW": REGISTRY,
        "REGCRED_VERIFIER_ALLOW_HTTP": REGISTRY,
        "REGCRED_REVERIFY_INTERVAL": "3650d",
        "REGCRED_LOGINS_PER_HOST": "1000",
        "REGCRED_LOGINS_PER_ACCOUNT": "1000",
    }


def operate(home: Path, *arguments: str) -> str:
    """Run an operator command on the installation. Returns its output."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("REGCRED_")}
    done = subprocess.run(
        [sys.executable, "-m", "regcred", *arguments],
        env={**own, "REGCRED_HOME": str(home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, (arguments, done.stdout, done.stderr)
    return done.stdout


def contents(system: System, accounts: Sequence[str]) -> Contents:
    """All that the API shows of these accounts, except their audit trails, which grow with every look at them."""
    with system.client() as client:
        return {account: _account(client, f"/v1/accounts/{account}") for account in accounts}


def _account(client: httpx2.Client, path: str) -> Json:
    credentials = {}
    for item in pages(client, f"{path}/credentials"):
        one = f"{path}/credentials/{item['id']}"
        lists = {name: list(pages(client, f"{one}/{name}")) for name in LISTS}
        credentials[item["id"]] = {"listed": item, "shown": get(client, one), **lists}
    return {"credentials": credentials, "summary": get(client, f"{path}/credentials/summary")}


def pages(client: httpx2.Client, path: str) -> Iterator[Json]:
    """The items of a list, of all its pages."""
    cursor = None
    while True:
        page = get(client, path, {"limit": "100", **({"cursor": cursor} if cursor else {})})
        yield from page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return


def get(client: httpx2.Client, path: str, query: Mapping[str, str] | None = None) -> Json:
    response = client.get(path, params=query or {})
    assert response.status_code == 200, (path, response.text)
    return response.json()  # type: ignore[no-any-return]
