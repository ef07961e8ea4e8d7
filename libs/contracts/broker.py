"""The consumers of regcred at the broker, the events that each is bound to, and their topology."""

from eventlog.topology import Consumers, topology

CONSUMERS: Consumers = {
    "verifier": (
        "credential.added",
        "credential.details_changed",
        "credential.hosts_changed",
        "credential.removed",
        "credential.rotation_requested",
        "credential.secret_rotated",
        "verification.requested",
    ),
    "projector": ("#",),
}

TOPOLOGY = topology(CONSUMERS)
