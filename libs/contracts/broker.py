"""The consumers that regcred itself has at the broker, and the topology for them."""

from eventlog.topology import Consumers, topology

CONSUMERS: Consumers = {
    "verifier": (
        "credential.added",
        "credential.details_changed",
        "credential.removed",
        "credential.secret_rotated",
        "verification.requested",
    ),
    "projector": ("#",),
}

TOPOLOGY = topology(CONSUMERS)
