"""The connections that the network policies allow, as a table."""

import ipaddress
from itertools import product
from typing import Any

import pytest

from tests.support.manifests import Manifest, manifests, pod, selects, workloads

MONITORING = {"kubernetes.io/metadata.name": "monitoring"}
SERVERS = {
    "postgres": {"cnpg.io/cluster": "postgres"},
    "rabbitmq": {"app.kubernetes.io/name": "rabbitmq"},
    "vault": {"app.kubernetes.io/name": "vault"},
}
PODS = {name: pod(one)["labels"] for name, one in workloads().items()} | SERVERS
POLICIES = [one["spec"] for one in manifests("base", "NetworkPolicy")]

ALLOWED = {
    *(
        (client, "postgres", 5432)
        for client in ("credentials", "relay", "verifier", "registries", "projector", "queries", "migrate")
    ),
    *((client, "rabbitmq", 5671) for client in ("relay", "verifier", "projector", "migrate")),
    *((client, "vault", 8200) for client in ("credentials", "relay", "verifier", "registries")),
    *(("gateway", service, 8080) for service in ("credentials", "queries", "registries", "console")),
    ("console", "gateway", 8080),
    *(
        (server, server, port)
        for server, ports in {
            "postgres": (5432, 8000),
            "rabbitmq": (4369, 25672),
            "vault": (8200, 8201),
        }.items()
        for port in ports
    ),
}


def policies_of(labels: dict[str, str], direction: str) -> list[Manifest]:
    return [
        one for one in POLICIES if direction in one["policyTypes"] and selects(one["podSelector"], labels)
    ]


def ports_of(rule: Manifest) -> list[tuple[int, int]] | None:
    if "ports" not in rule:
        return None
    return [
        (port["port"], port.get("endPort", port["port"]))
        for port in rule["ports"]
        if port["protocol"] == "TCP"
    ]


def passes(direction: str, of: dict[str, str], peer: dict[str, str], port: int) -> bool:
    """Whether one end lets a connection to or from a pod of this namespace through."""
    ends = "from" if direction == "Ingress" else "to"
    for policy in policies_of(of, direction):
        for rule in policy.get(direction.lower(), []):
            ports = ports_of(rule)
            if ports is not None and not any(low <= port <= high for low, high in ports):
                continue
            peers: list[Any] = rule.get(ends, [{"podSelector": {}}])
            if any(
                "podSelector" in one and "namespaceSelector" not in one and selects(one["podSelector"], peer)
                for one in peers
            ):
                return True
    return False


def test_the_policies_match_the_documented_connections() -> None:
    ports = {port for *_, port in ALLOWED} | {443, 6443, 8404, 8443, 9464, 5672, 15672, 9187}
    found = {
        (client, server, port)
        for (client, server), port in product(product(PODS, PODS), ports)
        if passes("Egress", PODS[client], PODS[server], port)
        and passes("Ingress", PODS[server], PODS[client], port)
    }
    public = {(client, "gateway", 8443) for client in PODS}
    assert found - public == ALLOWED


@pytest.mark.parametrize("name", sorted(PODS))
def test_every_pod_has_default_deny_policies_in_both_directions(name: str) -> None:
    for direction in ("Ingress", "Egress"):
        mine = policies_of(PODS[name], direction)
        assert any(not one.get(direction.lower()) for one in mine)  # `nothing-else`
        assert len(mine) > 1 or (name, direction) == ("migrate", "Ingress"), (name, direction)


def test_only_services_that_log_in_to_registries_reach_public_addresses() -> None:
    reaching = set()
    for name, labels in PODS.items():
        for policy in policies_of(labels, "Egress"):
            for rule in policy.get("egress", []):
                for peer in rule.get("to", []):
                    if "ipBlock" not in peer:
                        continue
                    reaching.add(name)
                    network = ipaddress.ip_network(peer["ipBlock"]["cidr"])
                    left_out = [ipaddress.ip_network(text) for text in peer["ipBlock"].get("except", [])]
                    for private in (
                        "10.1.2.3",
                        "127.0.0.1",
                        "169.254.169.254",
                        "172.16.0.1",
                        "192.168.1.1",
                        "100.64.0.1",
                        "224.0.0.1",
                        "fd00::1",
                        "fe80::1",
                        "::1",
                    ):
                        address = ipaddress.ip_address(private)
                        inside = address.version == network.version and address in network
                        assert not inside or any(address in one for one in left_out), private
    assert reaching == {"credentials", "verifier", "registries"}


def test_only_monitoring_reaches_metrics() -> None:
    for name in ("credentials", "queries", "registries", "relay", "verifier", "projector"):
        rules = [rule for policy in policies_of(PODS[name], "Ingress") for rule in policy.get("ingress", [])]
        watched = [
            rule
            for rule in rules
            for peer in rule["from"]
            if peer.get("namespaceSelector", {}).get("matchLabels") == MONITORING
        ]
        [port] = workloads()[name]["spec"]["template"]["spec"]["containers"][0]["ports"]
        assert any(
            low <= port["containerPort"] <= high for rule in watched for low, high in ports_of(rule) or []
        )
