"""infra/upgrade.sh: migrations first, then replica by replica, under load. What fails leaves the former version serving."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from threading import Event

import pytest
import yaml

from tests.containers.conftest import PASSWORD, SETTINGS, USER, registries, variable
from tests.support.compose import REGISTRY, Deployment, docker
from tests.support.images import IMAGES
from tests.support.load import Target, check
from tests.support.servers import ROOT
from tests.support.system import add_body
from tests.support.timing import waiting
from tests.upgrade.release import RELEASES, extract

NEXT = "next"
OURS = ("credentials", "relay", "verifier", "registries", "projector", "queries", "console")
WRITERS = 3
_accounts = (f"upgrade-{number}" for number in count(1))


def upgrade(
    deployment: Deployment, *overrides: Path, command: str = "infra/upgrade.sh", **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the script, or another command of an operator, with further files for docker compose."""
    files = ":".join(str(file) for file in (deployment.source / "docker-compose.yml", *overrides))
    return subprocess.run(
        ["sh", "-c", command],
        cwd=deployment.source,
        env={**os.environ, **deployment.variables, "COMPOSE_FILE": files, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )


def running(deployment: Deployment) -> dict[str, list[tuple[str, str]]]:
    """The healthy containers of each service, with their images."""
    return {
        service: [
            (one["Id"], one["Config"]["Image"])
            for one in deployment.containers(service)
            if one["State"].get("Health", {}).get("Status") == "healthy"
        ]
        for service in OURS
    }


@contextmanager
def writers(target: Target, account: str) -> Iterator[tuple[list[str], list[tuple[int, str]]]]:
    """Writers in the background: the ids of what they have added, and every other response."""
    stop = Event()
    added: list[str] = []
    refused: list[tuple[int, str]] = []
    numbers = count(1)

    def write() -> None:
        with target.client() as client:
            while not stop.is_set():
                body = add_body(f"number-{next(numbers)}", REGISTRY, USER, PASSWORD)
                answer = client.post(f"/v1/accounts/{account}/credentials", json=body)
                if answer.status_code == 201:
                    added.append(str(answer.json()["id"]))
                else:
                    refused.append((answer.status_code, answer.text))
                listed = client.get(f"/v1/accounts/{account}/credentials", params={"limit": 1})
                if listed.status_code != 200:
                    refused.append((listed.status_code, listed.text))
                time.sleep(0.1)  # a registry gets a limited number of logins

    with ThreadPoolExecutor(WRITERS) as pool:
        futures = [pool.submit(write) for _ in range(WRITERS)]
        try:
            waiting(lambda: len(added) >= 5, "the writers write")
            yield added, refused
            before = len(added)
            waiting(lambda: len(added) >= before + 5, "they go on")
        finally:
            stop.set()
        for future in futures:
            future.result()


@pytest.fixture(scope="module", autouse=True)
def next_version(deployment: Deployment) -> Iterator[None]:
    """Images of a next version, with the same contents."""
    for image in IMAGES:
        docker("tag", f"regcred/{image.name}", f"regcred/{image.name}:{NEXT}")
    yield
    deployment.up()


def override(folder: Path, service: str, **changes: object) -> Path:
    """A file that changes one service."""
    file = folder / "override.yml"
    file.write_text(yaml.safe_dump({"services": {service: changes}}))
    return file


BROKEN_DATABASE = {
    "environment": {"REGCRED_DATABASE_URL": "postgresql://nobody@postgres/regcred?sslmode=require"}
}


@pytest.mark.parametrize("command", ["infra/upgrade.sh", "docker compose up --detach --no-build"])
def test_a_failed_migration_stops_no_replica(
    deployment: Deployment, target: Target, tmp_path: Path, command: str
) -> None:
    before = running(deployment)
    broken = override(tmp_path, "migrate", **BROKEN_DATABASE)
    version = {"REGCRED_VERSION": NEXT} if command == "infra/upgrade.sh" else {}
    account = next(_accounts)
    with writers(target, account) as (added, refused):
        failed = upgrade(deployment, broken, command=command, **version)
    assert failed.returncode != 0, failed.stdout
    assert running(deployment) == before
    assert refused == []
    check(target, account, added)


def test_a_replica_that_does_not_become_healthy_replaces_none(
    deployment: Deployment, target: Target, tmp_path: Path
) -> None:
    before = running(deployment)
    broken = override(tmp_path, "projector", command=["no such mode"])
    account = next(_accounts)
    with writers(target, account) as (added, refused):
        failed = upgrade(deployment, broken, REGCRED_VERSION=NEXT, HEALTHY_SECONDS="15")
    assert failed.returncode == 1, failed.stdout
    assert "the new replica of projector does not become healthy" in failed.stderr
    assert running(deployment) == before
    assert refused == []
    check(target, account, added)


@pytest.fixture(params=RELEASES)
def of_release(
    request: pytest.FixtureRequest, images: Path | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """A deployment of a release, with its own images and its own docker-compose.yml."""
    release, source = request.param, tmp_path_factory.mktemp("release")
    extract(release, source)
    python_image = variable(images, "PYTHON_IMAGE") or "python:3.11-slim-bookworm"
    for image in IMAGES:
        docker(
            *("build", "--quiet", "--tag", f"regcred/{image.name}:{release}", "."),
            *("--build-arg", f"IMAGE={image.name}", "--build-arg", f"PYTHON_IMAGE={python_image}"),
            timeout=1200,
            folder=source,
        )
    environment = {**SETTINGS, "REGCRED_VERSION": release}
    with (
        Deployment(environment, images, source) as deployed,
        registries(deployed, images, tmp_path_factory.mktemp("registry")),
    ):
        yield deployed


def test_an_upgrade_of_a_release_under_load_refuses_no_request(of_release: Deployment) -> None:
    before = running(of_release)
    target = Target(of_release.client, REGISTRY, USER, PASSWORD)
    account = next(_accounts)
    with writers(target, account) as (added, refused):
        shutil.copytree(ROOT / "infra", of_release.source / "infra", dirs_exist_ok=True)
        shutil.copy(ROOT / "docker-compose.yml", of_release.source)
        done = upgrade(of_release, REGCRED_VERSION=NEXT)
    assert done.returncode == 0, (done.stdout[-2000:], done.stderr[-3000:])
    after = running(of_release)
    for service in OURS:
        assert len(after[service]) == len(before[service]) == 1
        assert after[service][0][1].endswith(f":{NEXT}")
    assert refused == []
    check(target, account, added)
    again = upgrade(of_release, REGCRED_VERSION=NEXT)
    assert again.returncode == 0, again.stderr[-3000:]
    assert running(of_release) == after


def test_a_stopping_replica_refuses_no_request(deployment: Deployment, target: Target) -> None:
    """Two replicas, of which one is stopped."""
    scale = ("up", "--detach", "--no-build", "--no-recreate", "--no-deps")
    deployment.compose(*scale, "--scale", "credentials=2", "credentials")
    waiting(lambda: len(running(deployment)["credentials"]) == 2, "both are healthy")
    account = next(_accounts)
    with writers(target, account) as (added, refused):
        docker("stop", running(deployment)["credentials"][0][0])
    deployment.compose(*scale, "--scale", "credentials=1", "credentials")
    assert refused == []
    check(target, account, added)


def test_a_restart_of_the_only_replica_is_announced_as_such(deployment: Deployment, target: Target) -> None:
    account = next(_accounts)
    with writers(target, account) as (_, refused):
        deployment.compose("restart", "credentials")
    assert {status for status, _ in refused} <= {503}
