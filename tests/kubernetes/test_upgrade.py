"""The commands of docs/kubernetes.md for a new version: migrations first, and nothing after migrations that fail."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.kubernetes.conftest import commands
from tests.support.kubernetes import Cluster, Object
from tests.support.manifests import FOLDER
from tests.support.timing import PATIENCE

OVERLAY = "infra/kubernetes/overlays/production"
NEW = "99.0.0"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A copy of the manifests, in which an operator sets the new version."""
    shutil.copytree(FOLDER, tmp_path / "infra" / "kubernetes")
    return tmp_path


@contextmanager
def jobs_end_as(cluster: Cluster, phase: str) -> Iterator[list[str]]:
    """Report this end of each pod of `migrate`. Yields the images of the services at each of these moments."""
    images: list[str] = []
    ended = Event()

    def look() -> None:
        while not ended.wait(0.2):
            for pod in cluster.get("pods", "-l", "app.kubernetes.io/name=migrate"):
                if pod["status"]["phase"] == "Pending" and "deletionTimestamp" not in pod["metadata"]:
                    images.append(image_of(cluster))
                    cluster.patch_status("pod", pod["metadata"]["name"], {"phase": phase})

    thread = Thread(target=look)
    thread.start()
    try:
        yield images
    finally:
        ended.set()
        thread.join(PATIENCE)


def image_of(cluster: Cluster) -> str:
    """The image of the service that handles commands."""
    [deployment] = cluster.get("deployment", "credentials")
    return str(deployment["spec"]["template"]["spec"]["containers"][0]["image"])


def upgrade(cluster: Cluster, repository: Path, *, patience: str) -> int:
    """Run the documented commands, until one fails. `patience` replaces the time that migrations may take."""
    script = "\n".join(commands("Upgrade"))
    assert "--timeout=10m" in script
    done = cluster.run(
        *(
            "env",
            "-C",
            str(repository),
            "sh",
            "-euc",
            script.replace("--timeout=10m", f"--timeout={patience}"),
        ),
        check=False,
    )
    return done.returncode


def generations(cluster: Cluster) -> dict[str, int]:
    """How often each Deployment was changed."""
    found: list[Object] = cluster.get("deployments")
    return {one["metadata"]["name"]: one["metadata"]["generation"] for one in found}


@pytest.mark.usefixtures("prepared", "cleared")
def test_migrations_run_first_and_a_failure_leaves_the_old_version(
    cluster: Cluster, repository: Path
) -> None:
    [start] = [one for one in commands("First start") if one.startswith("kubectl apply --server-side -k")]
    cluster.run(*start.split())
    old, before = image_of(cluster), generations(cluster)
    kustomization = repository / OVERLAY / "kustomization.yaml"
    text = kustomization.read_text()
    version = old.rpartition(":")[2]
    assert version in text
    kustomization.write_text(text.replace(version, NEW))

    with jobs_end_as(cluster, "Failed") as images:
        assert upgrade(cluster, repository, patience="5s") != 0
    assert set(images) == {old}
    assert generations(cluster) == before

    with jobs_end_as(cluster, "Succeeded") as images:
        assert upgrade(cluster, repository, patience="60s") == 0
    assert set(images) == {old}
    assert image_of(cluster) == old.replace(version, NEW)
