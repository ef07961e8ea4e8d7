"""Broker and gateway of Kubernetes have the configuration of compose."""

import re

from contracts.broker import TOPOLOGY
from eventlog.topology import VHOST
from launcher.deployment.broker_definitions import definitions
from tests.support.manifests import (
    FOLDER,
    Manifest,
    manifests,
    pod,
    service_container,
    workloads,
)
from tests.support.servers import ROOT


def test_the_broker_has_users_rights_and_sizes_of_the_topology() -> None:
    wanted = definitions(TOPOLOGY, dict.fromkeys(TOPOLOGY.users, "p"), salt=lambda: b"salt")
    assert [one["spec"]["name"] for one in manifests("base", "Vhost")] == [VHOST]
    assert {one["metadata"]["name"] for one in manifests("base", "User")} == set(TOPOLOGY.users)
    found = {one["spec"]["userReference"]["name"]: one["spec"] for one in manifests("base", "Permission")}
    for one in wanted["permissions"]:
        rights = {kind: one[kind] for kind in ("configure", "write", "read")}
        assert found.pop(one["user"])["permissions"] == rights
    assert not found
    policies = {one["spec"]["name"]: one["spec"] for one in manifests("base", "Policy")}
    assert set(policies) == {queue.name for queue in TOPOLOGY.queues}
    for one in wanted["policies"]:
        spec = policies[one["name"]]
        assert (spec["pattern"], spec["applyTo"], spec["definition"]) == (
            one["pattern"],
            one["apply-to"],
            one["definition"],
        )


def mounted_files(workload: Manifest, volume: str) -> dict[str, str]:
    """The files of a ConfigMap that a workload mounts, by their path."""
    [mounted] = [one for one in pod(workload)["volumes"] if one["name"] == volume]
    [at] = [one["mountPath"] for one in service_container(workload)["volumeMounts"] if one["name"] == volume]
    maps = {one["metadata"]["name"]: one["data"] for one in manifests("base", "ConfigMap")}
    return {f"{at}/{key}": text for key, text in maps[mounted["configMap"]["name"]].items()}


def test_the_gateway_is_configured_as_in_compose() -> None:
    original = (ROOT / "infra" / "gateway" / "haproxy.cfg").read_text()
    here = re.sub(r"( 8 \w+):8080 ", r"\1.regcred.svc.cluster.local:8080 ", original)
    assert (FOLDER / "base" / "haproxy.cfg").read_text() == here, (
        "copy it again from infra/gateway/haproxy.cfg"
    )
    errors = ROOT / "infra" / "gateway" / "errors"
    files = {f"/infra/gateway/errors/{file.name}": file.read_bytes().decode() for file in errors.iterdir()}
    assert mounted_files(workloads()["gateway"], "errors") == files, (
        "copy them again from infra/gateway/errors"
    )
    assert set(re.findall(r"^ +errorfile \d+ (\S+)$", here, re.MULTILINE)) == set(files)
    names = set(re.findall(r" 8 (\w+)\.regcred\.svc", here))
    headless = {
        one["metadata"]["name"]
        for one in manifests("base", "Service")
        if one["spec"].get("clusterIP") == "None"
    }
    assert names <= headless
