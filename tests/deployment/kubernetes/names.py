"""Which workloads there are, which of them run an image of regcred, and which Secrets they mount."""

import re

from tests.support.manifests import Manifest, pod, service_container, workloads
from tests.support.servers import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
TARGETS = set(re.findall(r"^FROM runtime AS (\w+)", DOCKERFILE, re.MULTILINE))
DEPLOYMENTS = sorted(set(workloads()) - {"migrate"})
OF_OURS = sorted(set(workloads()) - {"gateway"})


def target(name: str) -> str:
    return str(service_container(workloads()[name])["image"]).removeprefix("regcred/")


def mounted(workload: Manifest) -> dict[str, set[str]]:
    """The Secrets of a pod with the files of them that it names (none: all)."""
    return {
        volume["secret"]["secretName"]: {item["key"] for item in volume["secret"].get("items", [])}
        for volume in pod(workload)["volumes"]
        if "secret" in volume
    }
