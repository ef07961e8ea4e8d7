"""The manifests of infra/kubernetes, put together as operators put them together."""

import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.support.servers import ROOT

FOLDER = ROOT / "infra" / "kubernetes"
KUSTOMIZATIONS = ("base", "overlays/production", "overlays/small")
KUBECTL = Path(sys.executable).with_name("kubectl")

Manifest = dict[str, Any]


@cache
def rendered(kustomization: str) -> str:
    """What `kubectl kustomize` prints."""
    done = subprocess.run(
        [KUBECTL, "kustomize", FOLDER / kustomization], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr  # it warns of what is deprecated
    return done.stdout


@cache
def _parsed(kustomization: str) -> list[Manifest]:
    return list(yaml.load_all(rendered(kustomization), Loader=yaml.CSafeLoader))


def manifests(kustomization: str, *kinds: str) -> list[Manifest]:
    """Its manifests, those of these kinds if some are named. They must not be changed."""
    return [one for one in _parsed(kustomization) if not kinds or one["kind"] in kinds]


def workloads(kustomization: str = "base") -> dict[str, Manifest]:
    """Deployments and Jobs by their name."""
    return {one["metadata"]["name"]: one for one in manifests(kustomization, "Deployment", "Job")}


def pod(workload: Manifest) -> Manifest:
    """The pod that it makes: labels, and what is in it."""
    template: Manifest = workload["spec"]["template"]
    made: Manifest = {"labels": template["metadata"]["labels"], **template["spec"]}
    return made


def service_container(workload: Manifest) -> Manifest:
    [container] = pod(workload)["containers"]
    return dict(container)


def containers(workload: Manifest) -> Iterator[Manifest]:
    yield from pod(workload).get("initContainers", [])
    yield from pod(workload)["containers"]


def settings(workload: Manifest) -> dict[str, str]:
    """The variables that operators set: those of the ConfigMap."""
    maps = {one["metadata"]["name"]: one["data"] for one in manifests("base", "ConfigMap")}
    [source] = service_container(workload)["envFrom"]
    return dict(maps[source["configMapRef"]["name"]])


def fixed(workload: Manifest) -> dict[str, str]:
    """The variables that the manifest sets."""
    return {one["name"]: one["value"] for one in service_container(workload).get("env", [])}


def environment(workload: Manifest) -> dict[str, str]:
    """All variables of the service."""
    return settings(workload) | fixed(workload)


def selects(selector: Manifest, labels: dict[str, str]) -> bool:
    """Whether a label selector of Kubernetes takes in a pod with these labels."""
    wanted = selector.get("matchLabels", {})
    if any(labels.get(name) != value for name, value in wanted.items()):
        return False
    for one in selector.get("matchExpressions", []):
        assert one["operator"] == "In", one
        if labels.get(one["key"]) not in one["values"]:
            return False
    return True
