"""The Secrets of the workloads: who makes them, who mounts them, who can read them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from chassis.authentication.tokens import parse
from operations.migrate.identities import IDENTITIES
from secretstore.keyfile import KeyFile
from tests.deployment.kubernetes.names import OF_OURS, mounted
from tests.support.manifests import (
    FOLDER,
    KUBECTL,
    containers,
    environment,
    manifests,
    pod,
    workloads,
)


def test_no_secret_is_in_an_environment() -> None:
    for name, one in workloads().items():
        for container in containers(one):
            assert not any("valueFrom" in variable for variable in container.get("env", [])), name
            assert not any("secretRef" in source for source in container.get("envFrom", [])), name
    assert not manifests("overlays/production", "Secret")


@pytest.mark.skipif(os.geteuid() != 0, reason="files get owners: only root can give them")
def test_every_mounted_secret_is_created(tmp_path: Path) -> None:
    roles = tmp_path / "roles"
    roles.mkdir()
    for role in ("credentials", "relay", "verifier"):
        for kind in ("role-id", "secret-id"):
            (roles / f"{role}.{kind}").write_text(f"{kind} of {role}")
    made = secrets(tmp_path)
    by_operators = {"postgres-ca"}  # CloudNativePG makes it
    for name, one in workloads().items():
        for secret, keys in mounted(one).items():
            assert secret in set(made) | by_operators, (name, secret)
            assert keys <= made.get(secret, keys), (name, secret)
    asked = {
        *(one["spec"]["importCredentialsSecret"]["name"] for one in manifests("base", "User")),
        *(one["spec"]["tls"]["secretName"] for one in manifests("base", "RabbitmqCluster")),
        *(one["spec"]["bootstrap"]["initdb"]["secret"]["name"] for one in manifests("base", "Cluster")),
        yaml.safe_load((FOLDER / "vault" / "values.yaml").read_text())["server"]["volumes"][0]["secret"][
            "secretName"
        ],
    }
    used = set().union(*(mounted(one) for one in workloads().values())) | asked
    assert set(made) == used - by_operators
    again = secrets(tmp_path)
    assert again == made


def test_an_interrupted_run_leaves_no_empty_token(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    interrupted = tmp_path / "python"
    interrupted.write_text(
        f'#!/bin/sh\ncase "$2" in *token_bytes*) kill -KILL $PPID; exit;; esac\nexec {sys.executable} "$@"\n'
    )
    interrupted.chmod(0o755)
    assert run_secrets(folder, PYTHON=str(interrupted)).returncode == -signal.SIGKILL
    secrets(folder)
    for name in ("admin", "metrics"):
        assert parse((folder / "tokens" / f"{name}.token").read_text()) is not None


def secrets(folder: Path) -> dict[str, set[str]]:
    """Keys of the Secrets that secrets.sh creates."""
    done = run_secrets(folder)
    assert done.returncode == 0, done.stderr
    return {one["metadata"]["name"]: set(one["data"]) for one in yaml.safe_load_all(done.stdout)}


def run_secrets(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [FOLDER / "secrets.sh", folder, "regcred.example.com"],
        env={**os.environ, "KUBECTL": str(KUBECTL), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_private_files_are_readable_by_their_user_only(tmp_path: Path) -> None:
    """As Kubernetes mounts a Secret: links, and readable by a group. libpq and the key file refuse that."""
    hidden = tmp_path / "..data"
    service = tmp_path / "mounted" / "service"
    for folder in (hidden, service, tmp_path / "own"):
        folder.mkdir(parents=True)
    KeyFile.create(hidden / "keys.json")
    (hidden / "pgpass").write_text("*:*:*:u:p\n")
    for file in hidden.iterdir():
        file.chmod(0o440)
        (service / file.name).symlink_to(file)
    scripts = {
        tuple(container["command"])
        for one in workloads().values()
        for container in pod(one).get("initContainers", [])
    }
    [(shell, options, script)] = scripts
    moved = script.replace("/mounted/", f"{tmp_path}/mounted/").replace("/run/secrets/", f"{tmp_path}/own/")
    assert moved.count(str(tmp_path)) == 2
    subprocess.run([shell, options, moved], check=True)
    assert {file.name: file.stat().st_mode & 0o777 for file in (tmp_path / "own").iterdir()} == {
        "keys.json": 0o400,
        "pgpass": 0o400,
    }
    KeyFile.load(tmp_path / "own" / "keys.json")


@pytest.mark.parametrize("name", sorted(set(OF_OURS) - {"console"}))
def test_every_pod_has_its_own_service_account(name: str) -> None:
    identity = IDENTITIES["verifier" if name == "registries" else name]
    variables = environment(workloads()[name])
    assert variables["REGCRED_DATABASE_URL"].startswith(f"postgresql://{identity.login}@postgres-rw/")
    if "REGCRED_BROKER_URL_FILE" in variables:
        assert identity.broker_user
    assert ("REGCRED_VAULT_ADDR" in variables) == identity.vault
    others = {other for other in IDENTITIES if IDENTITIES[other] != identity}
    assert not set(mounted(workloads()[name])) & others
