"""The event types of the audit trail, for shell completion.

A test compares them with the published events.
"""

AUDIT_ACTIONS = (
    "access.denied",
    "account.erased",
    "audit.read",
    "audit.sealed",
    "credential.access_withdrawn",
    "credential.added",
    "credential.details_changed",
    "credential.frozen",
    "credential.hosts_changed",
    "credential.removed",
    "credential.restrictions_changed",
    "credential.rotation_discarded",
    "credential.rotation_requested",
    "credential.secret_rolled_back",
    "credential.secret_rotated",
    "credential.thawed",
    "secret.issued",
    "secret.refused",
    "service_token.created",
    "service_token.revoked",
    "verification.expiry_approached",
    "verification.expiry_discovered",
    "verification.expiry_passed",
    "verification.failed",
    "verification.recovered",
    "verification.requested",
    "verification.rotation_tested",
    "verification.succeeded",
    "workload.released",
)
