"""Infra/kubernetes on a real Kubernetes, prepared by the commands of docs/kubernetes.md. Skipped without its programs."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.kubernetes import Cluster, Object
from tests.support.servers import ROOT
from tests.support.timing import waiting

_GUIDE = (ROOT / "docs" / "kubernetes.md").read_text()
ROLES = ("credentials", "relay", "verifier")


def commands(heading: str) -> list[str]:
    """The commands of a section of docs/kubernetes.md, as it has them."""
    section = _GUIDE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = "\n".join(re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)).splitlines()
    assert lines, heading
    return [line.partition("  #")[0].strip() for line in lines if line]


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with Cluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def prepared(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """FOLDER, after the commands of "First start" up to the manifests. Vault's files are invented."""
    folder = tmp_path_factory.mktemp("folder")
    for command in commands("First start"):
        if command.startswith(("kubectl create namespace", "infra/kubernetes/secrets.sh")):
            (folder / "roles").mkdir(exist_ok=True)
            for role in ROLES:
                (folder / "roles" / f"{role}.role-id").write_text(f"role id of {role}")
                (folder / "roles" / f"{role}.secret-id").write_text(f"secret id of {role}")
            cluster.run("bash", "-euo", "pipefail", "-c", command.replace("FOLDER", str(folder)))
    return folder


@pytest.fixture
def cleared(cluster: Cluster, prepared: Path) -> Iterator[None]:
    """Remove all workloads afterwards. No kubelet reports the end of a pod, so pods are removed by force."""
    yield
    cluster.kubectl("delete", "-n", "regcred", "deployments,jobs,scaledobjects", "--all")

    def no_pod_is_left() -> bool:
        # A replica set without its deployment creates pods until the garbage collector has removed it.
        cluster.kubectl("delete", "-n", "regcred", "pods", "--all", "--force", "--grace-period=0")
        return not cluster.get("pods")

    waiting(no_pod_is_left, "the pods are removed")


def under_restricted(cluster: Cluster, folder: Path, overlay: str, *images: Object) -> list[Object]:
    """The manifests of an overlay, in a namespace that enforces the Pod Security Standard `restricted`."""
    (folder / "manifests").symlink_to(ROOT / "infra" / "kubernetes", target_is_directory=True)
    label = {
        "op": "replace",
        "path": "/metadata/labels/pod-security.kubernetes.io~1enforce",
        "value": "restricted",
    }
    kustomization = {
        "resources": [f"manifests/{overlay}"],
        "images": list(images),
        "patches": [{"target": {"kind": "Namespace"}, "patch": yaml.safe_dump([label])}],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    rendered = cluster.kubectl("kustomize", "--load-restrictor=LoadRestrictionsNone", str(folder))
    return list(yaml.safe_load_all(rendered))


def apply(cluster: Cluster, manifests: list[Object]) -> None:
    """Apply them as an operator who owns every field."""
    text = yaml.safe_dump_all(manifests)
    done = cluster.run("kubectl", "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)
    assert not done.stderr, done.stderr  # a warning of admission
