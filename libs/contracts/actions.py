"""The actions of the audit trail: the names of all events."""

from contracts import (
    access_events,
    account_events,
    audit_events,
    credential_events,
    issuance_events,
    release_events,
    service_token_events,
    verification_events,
)
from eventlog.events import EVENTS

_REGISTERING = (  # each registers its events when it is imported
    access_events,
    account_events,
    audit_events,
    credential_events,
    issuance_events,
    release_events,
    service_token_events,
    verification_events,
)
ACTIONS = tuple(dict.fromkeys(kind.name for kind in EVENTS.all_types()))
