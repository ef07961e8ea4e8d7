"""A secret store that accepts connections and does not respond: requests that need no secret are served."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

import httpx2
import pytest

from chassis.settings.environment import Settings
from operations.migrate.preparation import prepare_admin_token, prepare_keys
from secretstore.vault_session import READ_SECONDS
from tests.integration.issuing.calls import WORKLOAD
from tests.support.postgres import let_use_vault
from tests.support.servers import free_port
from tests.support.system import add_body
from tests.support.timing import PATIENCE, waiting
from tests.support.vault import Vault

PULLS = 60
ACCOUNT = "/v1/accounts/frozen"
IMAGE = "registry.example.com/team/app:1"


@pytest.fixture
def client(database_url: str, own_vault: Vault, tmp_path: Path) -> Iterator[httpx2.Client]:
    """The command API in a process of its own, with all its threads."""
    port = free_port()
    environment = {
        "REGCRED_HOME": str(tmp_path),
        "REGCRED_LISTEN": f"127.0.0.1:{port}",
        "REGCRED_DATABASE_URL": database_url,
        "REGCRED_VAULT_ADDR": own_vault.addr,
        "REGCRED_VAULT_ROLE_ID": own_vault.role_id("one-machine"),
        "REGCRED_VAULT_SECRET_ID_FILE": str(own_vault.secret_id_file("one-machine")),
    }
    let_use_vault(database_url)
    settings = Settings.from_environment(environment)
    token = tmp_path / "admin.token"
    prepare_admin_token(token, database_url, prepare_keys(settings.key_file))
    others = {name: value for name, value in os.environ.items() if not name.startswith("REGCRED_")}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "credentials", "api"], env={**others, **environment}, stderr=log
        )
    try:
        with httpx2.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Authorization": f"Bearer {token.read_text().strip()}"},
            timeout=PATIENCE,
            trust_env=False,
            limits=httpx2.Limits(max_connections=None),
        ) as client:
            waiting(lambda: is_ready(client), "the API is ready")
            yield client
    finally:
        process.terminate()
        process.wait(PATIENCE)


def is_ready(client: httpx2.Client) -> bool:
    try:
        return client.get("/readyz").status_code == httpx2.codes.OK
    except httpx2.TransportError:
        return False


def pull(client: httpx2.Client) -> int:
    body = {"images": [IMAGE], "project_id": "shop", "workload": WORKLOAD}
    answer = client.post(f"{ACCOUNT}/pull-secrets", json=body)
    if answer.status_code == httpx2.codes.SERVICE_UNAVAILABLE:
        assert answer.json()["code"] == "secret_store_unavailable"
        assert int(answer.headers["Retry-After"]) > 0
    return answer.status_code


def resolve(client: httpx2.Client) -> int:
    body = {"image": IMAGE, "project_id": "shop"}
    return client.post(f"{ACCOUNT}/resolutions", json=body).status_code


def timed_pull(client: httpx2.Client) -> tuple[int, float]:
    started = monotonic()
    return pull(client), monotonic() - started


def test_a_frozen_vault_does_not_hold_up_requests_without_secrets(
    client: httpx2.Client, own_vault: Vault
) -> None:
    added = client.post(f"{ACCOUNT}/credentials", json=add_body("one", "registry.example.com", "octo", "p"))
    assert added.status_code == httpx2.codes.CREATED
    assert pull(client) == httpx2.codes.OK
    resolved = 0
    with ThreadPoolExecutor(PULLS) as threads:
        own_vault.freeze()
        try:
            pulls = [threads.submit(timed_pull, client) for _ in range(PULLS)]
            # Until the first pull that waits for Vault reaches its timeout.
            while not any(one.done() and one.result()[1] >= READ_SECONDS for one in pulls):
                assert resolve(client) == httpx2.codes.OK
                resolved += 1
            assert {one.result()[0] for one in pulls} == {httpx2.codes.SERVICE_UNAVAILABLE}
        finally:
            own_vault.thaw()
    # The last one may have begun before that timeout, and ended after it.
    assert resolved > 1
    waiting(lambda: pull(client) == httpx2.codes.OK, "pulls work again")
