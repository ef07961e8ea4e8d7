"""The API server accepts every manifest, and admission every pod that the controllers make of them."""

import copy
from pathlib import Path

import pytest
import yaml

from tests.kubernetes.conftest import apply, under_restricted
from tests.support.kubernetes import Cluster
from tests.support.manifests import FOLDER, KUSTOMIZATIONS, manifests, pod, workloads
from tests.support.timing import waiting

OVERLAYS = [one for one in KUSTOMIZATIONS if one.startswith("overlays/")]


@pytest.mark.usefixtures("prepared")
@pytest.mark.parametrize("kustomization", KUSTOMIZATIONS)
def test_the_api_server_accepts_every_manifest(cluster: Cluster, kustomization: str) -> None:
    done = cluster.run(
        "kubectl", "apply", "--server-side", "--dry-run=server", "-k", str(FOLDER / kustomization)
    )
    assert len(done.stdout.splitlines()) == len(manifests(kustomization))
    assert not done.stderr  # it warns of deprecated fields, and of pods that are not `restricted`


@pytest.mark.usefixtures("prepared")
@pytest.mark.parametrize(
    "kind", ["Deployment", "Cluster", "RabbitmqCluster", "User", "ScaledObject", "ScheduledBackup"]
)
def test_the_api_server_refuses_an_unknown_field(cluster: Cluster, kind: str) -> None:
    """So that the test above says something about the resources of each operator."""
    wrong = copy.deepcopy(manifests("overlays/production", kind)[0])
    wrong["spec"]["unknown"] = 1
    done = cluster.run(
        "kubectl",
        "apply",
        "--server-side",
        "--dry-run=server",
        "-f",
        "-",
        stdin=yaml.safe_dump(wrong),
        check=False,
    )
    assert done.returncode == 1
    assert "unknown" in done.stderr


def test_every_secret_of_a_pod_exists_after_the_documented_commands(cluster: Cluster, prepared: Path) -> None:
    found = {one["metadata"]["name"]: set(one["data"]) for one in cluster.get("secrets")}
    made_by_operators = {"postgres-ca"}
    for one in workloads("overlays/production").values():
        for volume in pod(one)["volumes"]:
            if "secret" in volume and volume["secret"]["secretName"] not in made_by_operators:
                keys = {item["key"] for item in volume["secret"].get("items", [])}
                assert keys <= found[volume["secret"]["secretName"]]


@pytest.mark.usefixtures("cleared")
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_admission_accepts_every_pod_under_restricted(cluster: Cluster, tmp_path: Path, overlay: str) -> None:
    wanted = under_restricted(cluster, tmp_path, overlay)
    apply(cluster, wanted)
    waiting(lambda: _has_its_pods(cluster), f"every workload of {overlay} has its pods")
    refused = cluster.run(
        "kubectl", "run", "-n", "regcred", "unlike-ours", "--image=regcred/tools", check=False
    )
    assert "violates PodSecurity" in refused.stderr


def _has_its_pods(cluster: Cluster) -> bool:
    refusals = [
        one["message"]
        for one in cluster.get("events", "--field-selector=type=Warning")
        if one["reason"] == "FailedCreate"
    ]
    assert not refusals, refusals
    deployments, jobs = cluster.get("deployments"), cluster.get("jobs")
    assert {one["metadata"]["name"] for one in (*deployments, *jobs)} == set(workloads())
    return all(
        one.get("status", {}).get("replicas") == one["spec"]["replicas"] for one in deployments
    ) and all(one.get("status", {}).get("active") for one in jobs)
