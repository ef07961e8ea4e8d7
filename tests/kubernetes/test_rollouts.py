"""Replacing pods: what does not work replaces nothing.

The services run as processes with a real PostgreSQL under TLS; `tests.kubernetes.kubelet` says what that leaves out.
"""

import shutil
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Event

import psycopg
import pytest
import requests
from psycopg.conninfo import make_conninfo

from chassis.runtime.clock import now
from chassis.runtime.health import is_healthy
from launcher.deployment.certificates import new_authority, new_server
from operations.migrate.logins import prepare_logins
from operations.migrate.migrations import migrate
from operations.migrate.preparation import bind_keys, prepare_admin_token
from tests.kubernetes.conftest import apply, under_restricted
from tests.kubernetes.kubelet import Kubelet, Running
from tests.support.kubernetes import Cluster
from tests.support.timing import PATIENCE, waiting
from tests.support.tls_postgres import TLSPostgres

# One service with HTTP and one without. They need only the database to be ready.
DEPLOYMENTS = ("queries", "projector")
WRONG = b64encode(b"*:*:*:*:wrong\n").decode()


@pytest.fixture(scope="module")
def kubelet(cluster: Cluster, prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubelet]:
    """A node that runs the services. Their database is migrated, and has the logins of the Secrets."""
    ca_file = tmp_path_factory.mktemp("database") / "ca.crt"
    authority = new_authority(now())
    ca_file.write_text(authority.certificate)
    with TLSPostgres(new_server(authority, ["postgres-rw"], now())) as postgres:
        postgres.require_passwords()
        superuser = postgres.url(host="postgres-rw", authority=ca_file)
        with psycopg.connect(superuser, autocommit=True) as admin:
            admin.execute("CREATE DATABASE regcred")
        url = make_conninfo(superuser, dbname="regcred")
        migrate(url)
        prepare_logins(url, prepared / "migrate" / "logins")
        own = tmp_path_factory.mktemp("keys") / "keys.json"
        shutil.copyfile(
            prepared / "keys" / "keys.json", own
        )  # that of the folder belongs to the user of the pods
        own.chmod(0o600)
        keys = bind_keys(own, url)
        prepare_admin_token(prepared / "tokens" / "admin.token", url, keys)
        # As CloudNativePG makes it.
        cluster.kubectl(
            "create", "secret", "generic", "postgres-ca", "-n", "regcred", f"--from-file=ca.crt={ca_file}"
        )
        cluster.add_node()
        here = {"@postgres-rw/regcred?": f"@postgres-rw:{postgres.port}/regcred?hostaddr=127.0.0.1&"}
        with Kubelet(cluster, DEPLOYMENTS, here) as kubelet:
            yield kubelet


@pytest.mark.usefixtures("cleared")
def test_a_wrong_database_secret_replaces_no_pod(cluster: Cluster, kubelet: Kubelet, tmp_path: Path) -> None:
    apply(cluster, under_restricted(cluster, tmp_path, "overlays/small"))
    for name in DEPLOYMENTS:
        _wait_until_complete(cluster, name)
    first = {name: kubelet.pods(name)[0] for name in DEPLOYMENTS}
    right = {name: cluster.get("secret", name)[0]["data"]["pgpass"] for name in DEPLOYMENTS}

    for name in DEPLOYMENTS:
        _restart_with(cluster, name, WRONG)
    for name in DEPLOYMENTS:
        _wait_for_pods(kubelet, name, 2)
        second = kubelet.pods(name)[1]
        waiting(partial(_was_probed, second), "the second pod was probed")
        assert not second.ready, f"{name} with a wrong password is ready"
    for name in DEPLOYMENTS:
        assert kubelet.pods(name)[0] is first[name]
        assert first[name].ready
        assert not _is_complete(cluster, name)
        assert cluster.get("deployment", name)[0]["status"]["availableReplicas"] == 1
    assert is_healthy(f"http://{first['queries'].address}:8080/readyz")

    for name in DEPLOYMENTS:
        _restart_with(cluster, name, right[name])
    for name in DEPLOYMENTS:
        _wait_until_complete(cluster, name)
        _wait_for_pods(kubelet, name, 1)
        assert kubelet.pods(name)[0] is not first[name]


@pytest.mark.usefixtures("cleared")
def test_a_rollout_under_load_refuses_no_request(
    cluster: Cluster, prepared: Path, kubelet: Kubelet, tmp_path: Path
) -> None:
    apply(cluster, under_restricted(cluster, tmp_path, "overlays/small"))
    _wait_until_complete(cluster, "queries")
    [first] = kubelet.pods("queries")
    with readers(kubelet, (prepared / "tokens" / "admin.token").read_text().strip()) as statuses:
        waiting(lambda: len(statuses) > 20, "the readers read")
        cluster.kubectl("rollout", "restart", "-n", "regcred", "deployment/queries")
        _wait_until_complete(cluster, "queries")
        _wait_for_pods(kubelet, "queries", 1)
        before = len(statuses)
        waiting(lambda: len(statuses) > before + 20, "they go on")
    assert kubelet.pods("queries")[0] is not first
    assert Counter(statuses) == {"200": len(statuses)}


@contextmanager
def readers(kubelet: Kubelet, token: str) -> Iterator[list[str]]:
    """Two readers in the background, as behind a Service: a second late, they use the pods that are ready and not
    ending. Yields the status, or the error, of each request.
    """
    statuses: list[str] = []
    stop = Event()

    def read() -> None:
        refreshed, addresses = 0.0, [""]
        with requests.Session() as session:
            while not stop.wait(0.05):
                if time.monotonic() > refreshed + 1.0:
                    refreshed, addresses = time.monotonic(), _served_by(kubelet) or addresses
                url = f"http://{addresses[len(statuses) % len(addresses)]}:8080/v1/accounts/acme/credentials"
                headers = {"Authorization": f"Bearer {token}", "Connection": "close"}
                try:
                    statuses.append(str(session.get(url, headers=headers, timeout=PATIENCE).status_code))
                except requests.RequestException as error:
                    statuses.append(repr(error))

    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(read) for _ in range(2)]
        try:
            yield statuses
        finally:
            stop.set()
        for future in futures:
            future.result()


def _served_by(kubelet: Kubelet) -> list[str]:
    return [
        one.address
        for one in kubelet.pods("queries")
        if one.ready and "deletionTimestamp" not in one.pod["metadata"]
    ]


def _wait_until_complete(cluster: Cluster, name: str) -> None:
    waiting(lambda: _is_complete(cluster, name), f"the last change of {name} is complete")


def _wait_for_pods(kubelet: Kubelet, name: str, count: int) -> None:
    waiting(lambda: len(kubelet.pods(name)) == count, f"{name} has {count} pods")


def _was_probed(running: Running) -> bool:
    return bool(running.ready) or running.refusals() >= 2


def _restart_with(cluster: Cluster, name: str, passfile: str) -> None:
    """Change the password in a Secret, and replace the pods, as docs/kubernetes.md describes it."""
    patch = f'{{"data": {{"pgpass": "{passfile}"}}}}'
    cluster.kubectl("patch", "secret", "-n", "regcred", name, "-p", patch)
    cluster.kubectl("rollout", "restart", "-n", "regcred", f"deployment/{name}")


def _is_complete(cluster: Cluster, name: str) -> bool:
    """Whether the last change of a Deployment is complete: its pods have replaced all others."""
    done = cluster.run(
        "kubectl", "rollout", "status", "-n", "regcred", f"deployment/{name}", "--watch=false", check=False
    )
    return "successfully rolled out" in done.stdout
