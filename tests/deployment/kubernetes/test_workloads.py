"""The workloads of Kubernetes match the images: names, health routes, users, replacement."""

import re
from fnmatch import fnmatch

import pytest

from chassis.web.server import GRACEFUL_SECONDS
from operations.migrate.identities import OURS
from tests.deployment.kubernetes.names import DEPLOYMENTS, DOCKERFILE, OF_OURS, TARGETS, target
from tests.support.manifests import (
    FOLDER,
    KUSTOMIZATIONS,
    containers,
    environment,
    manifests,
    pod,
    selects,
    service_container,
    workloads,
)
from tests.support.servers import ROOT


def test_the_manifests_start_every_image_of_the_dockerfile() -> None:
    assert {target(name) for name in OF_OURS} == TARGETS
    for kustomization in KUSTOMIZATIONS:
        images = {
            container["image"] for one in workloads(kustomization).values() for container in containers(one)
        }
        ours = {image for image in images if "regcred/" in image}
        assert {image.rpartition("regcred/")[2].partition(":")[0] for image in ours} == TARGETS
        assert images - ours == {"haproxy:3.2"}
    assert "GATEWAY_IMAGE:-haproxy:3.2}" in (ROOT / "docker-compose.yml").read_text()


def test_in_production_every_image_has_a_version() -> None:
    for one in workloads("overlays/production").values():
        for container in containers(one):
            assert re.fullmatch(r".+:\d+\.\d+(\.\d+)?", container["image"]), container["image"]


def probes(name: str) -> dict[str, str]:
    """The URL of each probe."""
    container = service_container(workloads()[name])
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    asked = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")}
    return {kind: f"http://127.0.0.1:{ports[one['port']]}{one['path']}" for kind, one in asked.items()}


@pytest.mark.parametrize("name", sorted(set(DEPLOYMENTS) - {"gateway", "console"}))
def test_readiness_asks_for_what_a_service_needs_and_liveness_asks_the_service_itself(name: str) -> None:
    image = target(name)
    if service_container(workloads()[name]).get("args") == ["api"]:
        image = "credentials"  # the HTTP part of the verifier has the same application around it
    of_the_image = re.search(
        rf"^FROM runtime AS {image}$.+?chassis\.runtime\.health\", \"(\S+)\"",
        DOCKERFILE,
        re.MULTILINE | re.DOTALL,
    )
    assert of_the_image
    ready = of_the_image[1]
    assert ready.endswith("/readyz")
    asked = probes(name)
    assert asked["liveness"] == ready.replace("/readyz", "/healthz")
    if ":9464" in ready:  # a background process does its other work without the secret store
        assert asked["startup"] == asked["liveness"]
        assert asked["readiness"] == ready
    else:
        assert asked["startup"] == ready
        vault = "REGCRED_VAULT_ADDR" in environment(workloads()[name])
        assert asked["readiness"] == ready + ("?exclude=secret_store" if vault else "")


def test_gateway_and_console_are_asked_whether_they_respond() -> None:
    configuration = (ROOT / "infra" / "gateway" / "haproxy.cfg").read_text()
    assert re.search(r"bind :8404\n +monitor-uri /healthz", configuration)
    assert set(probes("gateway").values()) == {"http://127.0.0.1:8404/healthz"}
    assert set(probes("console").values()) == {"http://127.0.0.1:8080/healthz"}


@pytest.mark.parametrize("kustomization", KUSTOMIZATIONS)
def test_every_deployment_has_a_disruption_budget_of_one_pod(kustomization: str) -> None:
    budgets = manifests(kustomization, "PodDisruptionBudget")
    for name in DEPLOYMENTS:
        labels = pod(workloads(kustomization)[name])["labels"]
        mine = [one["spec"] for one in budgets if selects(one["spec"]["selector"], labels)]
        assert [one["maxUnavailable"] for one in mine] == [1], name


def test_services_select_pods() -> None:
    for service in manifests("base", "Service"):
        found = [
            one
            for one in workloads().values()
            if selects({"matchLabels": service["spec"]["selector"]}, pod(one)["labels"])
        ]
        assert len(found) == 1, service["metadata"]["name"]
        names = {port["name"] for port in service_container(found[0])["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= names


@pytest.mark.parametrize("name", sorted(workloads()))
def test_pods_meet_the_restricted_standard(name: str) -> None:
    """The Pod Security Standard `restricted`, with a read-only root file system and limits."""
    one = pod(workloads()[name])
    assert one["securityContext"]["runAsNonRoot"] is True
    assert one["securityContext"]["runAsUser"] == (99 if name == "gateway" else OURS.uid)
    assert one["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert one["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(one)
    assert all(set(volume) & {"secret", "configMap", "emptyDir"} for volume in one["volumes"])
    for container in containers(workloads()[name]):
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert set(container["resources"]) == {"requests", "limits"}


@pytest.mark.parametrize("name", sorted(workloads()))
def test_an_image_of_the_machine_is_used(name: str) -> None:
    """`overlays/small` runs images without a registry. Their default would be to pull at every start."""
    for container in containers(workloads("overlays/small")[name]):
        assert container["imagePullPolicy"] == "IfNotPresent", container["name"]


@pytest.mark.parametrize("kustomization", KUSTOMIZATIONS)
@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_pod_is_replaced_by_a_ready_one_and_finishes_its_requests(kustomization: str, name: str) -> None:
    spec = workloads(kustomization)[name]["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert spec["minReadySeconds"] > 0
    [service] = [one for one in spec["template"]["spec"]["containers"] if one["name"] == "service"]
    delay = service["lifecycle"]["preStop"]["sleep"]["seconds"]
    # The gateway notices within two seconds that a name has one address less, and that a check fails.
    assert delay >= 4
    finishing = 20 if name == "gateway" else GRACEFUL_SECONDS
    assert delay + finishing < spec["template"]["spec"]["terminationGracePeriodSeconds"]


def test_autoscaled_deployments_set_no_number_of_replicas() -> None:
    scaled = {
        one["spec"]["scaleTargetRef"]["name"]: one["spec"]
        for one in manifests("overlays/production", "ScaledObject")
    }
    deployments = workloads("overlays/production")
    assert set(scaled) == {"credentials", "queries", "registries"}
    for name, one in deployments.items():
        assert ("replicas" not in one["spec"]) == (name in scaled or name == "migrate"), name
    connections = 24 * sum(spec["maxReplicaCount"] for spec in scaled.values())
    [cluster] = manifests("overlays/production", "Cluster")
    assert connections < int(cluster["spec"]["postgresql"]["parameters"]["max_connections"])


def test_every_manifest_file_is_in_a_kustomization() -> None:
    for kustomization in KUSTOMIZATIONS:
        folder = FOLDER / kustomization
        text = (folder / "kustomization.yaml").read_text()
        for file in folder.iterdir():
            assert file.name == "kustomization.yaml" or file.name in text, file
    assert not [file for file in FOLDER.rglob("*.y*ml") if fnmatch(file.name, "*.orig*")]
