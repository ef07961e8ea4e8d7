"""After a kill of any process, every completed command has its effect, once, without an operator."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any

import pytest

from tests.e2e.conftest import PASSWORD, USER, Running
from tests.support.load import Load, Target, check
from tests.support.read_models import get_after
from tests.support.system import System, add_body
from tests.support.timing import waiting

_numbers = count(1)

CHILDREN = {
    "api": "launcher.server",
    "relay": "credentials relay",
    "verifier": "-m verifier",
    "projector": "-m projector",
}


def target(running: Running) -> Target:
    return Target(running.system.client, running.registry.address, USER, PASSWORD)


def children(system: System, mark: str) -> list[int]:
    return [pid for pid, command in system.processes().items() if mark in command]


@pytest.fixture
def account() -> str:
    return f"faults-{next(_numbers)}"


@pytest.mark.parametrize("child", CHILDREN)
def test_a_killed_process_loses_nothing(running: Running, account: str, child: str) -> None:
    with Load(target(running), account) as load:
        pids = children(running.system, CHILDREN[child])
        assert pids
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        waiting(lambda: set(children(running.system, CHILDREN[child])) - set(pids), "it is started again")
    check(target(running), account, load.answered)


def test_a_killed_database_loses_nothing(running: Running, account: str) -> None:
    postmaster = running.system.home / "postgres" / "postmaster.pid"
    with Load(target(running), account) as load:
        [pid, *_] = postmaster.read_text().split()
        os.kill(int(pid), signal.SIGKILL)

        def again() -> bool:
            with suppress(FileNotFoundError):
                return postmaster.read_text().split()[:1] not in ([], [pid])
            return False

        waiting(again, "the database is started again")
    check(target(running), account, load.answered)


@pytest.mark.parametrize("running", ["full"], indirect=True)
def test_a_killed_broker_loses_nothing(running: Running, account: str) -> None:
    assert running.broker is not None
    with Load(target(running), account) as load:
        running.broker.kill()
        before = len(load.answered)
        waiting(lambda: len(load.answered) > before + 10, "commands go on without a broker")
        running.broker.start()
    check(target(running), account, load.answered)


@contextmanager
def sealed(running: Running) -> Iterator[None]:
    assert running.vault is not None
    running.vault.seal()
    try:
        yield
    finally:
        running.vault.unseal()


@contextmanager
def down(running: Running) -> Iterator[None]:
    assert running.vault is not None
    running.vault.kill()
    try:
        yield
    finally:
        running.vault.start()


@pytest.mark.parametrize("running", ["full"], indirect=True)
@pytest.mark.parametrize("away", [sealed, down])
def test_without_vault_only_commands_with_secrets_fail(
    running: Running, account: str, away: Callable[[Running], Any]
) -> None:
    base = f"/v1/accounts/{account}/credentials"
    with running.system.client() as client:
        body = add_body("before", running.registry.address, USER, PASSWORD)
        stored = client.post(base, json=body)
        with away(running):
            body["name"] = "meanwhile"
            refused = client.post(base, json=body, headers={"Idempotency-Key": account})
            assert (refused.status_code, refused.json()["code"]) == (503, "secret_store_unavailable")
            assert int(refused.headers["Retry-After"]) > 0
            changed = client.patch(
                f"{base}/{stored.json()['id']}", json={"description": "changed"}, headers={"If-Match": "*"}
            )
            assert changed.status_code == 200, changed.text
            seen = get_after(changed, client, base)
            assert [item["description"] for item in seen.json()["items"]] == ["changed"]
            asked = client.post(f"{base}/{stored.json()['id']}/verifications")
            assert asked.status_code == 202
            assert client.get("/readyz").status_code == 503
            trail = client.get(f"/v1/accounts/{account}/audit-events").json()["items"]
            assert {event["credential_name"] for event in trail} == {"before"}
        again = client.post(base, json=body, headers={"Idempotency-Key": account})
        assert again.status_code == 201, again.text

        def verified() -> bool:
            items = client.get(base).json()["items"]
            return [item["verification"]["status"] for item in items] == ["verified"] * 2

        waiting(verified, "both are verified once Vault is back")
