"""Changes of the read models for expiry events and recoveries."""

from datetime import UTC, datetime

import pytest

from contracts.expiry_events import (
    ExpiryApproached,
    ExpiryDiscovered,
    ExpiryPassed,
    VerificationRecovered,
)
from contracts.streams import verification_stream
from docs.contract_documents.examples import CREDENTIAL, EXAMPLES, METADATA
from eventlog.events import RecordedEvent
from projector.write.projections import audit, credentials
from projector.write.projections.changes import Update

END = datetime(2026, 4, 1, tzinfo=UTC)


def recorded(kind: type, action: str) -> RecordedEvent:
    return RecordedEvent(
        event_id=CREDENTIAL,
        stream=verification_stream(CREDENTIAL),
        version=3,
        type=action,
        schema_version=1,
        payload=EXAMPLES[kind][0],
        metadata=METADATA,
        recorded_at=END,
        position=9,
    )


@pytest.mark.parametrize(
    ("kind", "action", "outcome", "reason"),
    [
        (ExpiryDiscovered, "verification.expiry_discovered", "success", None),
        (ExpiryApproached, "verification.expiry_approached", "success", None),
        (ExpiryPassed, "verification.expiry_passed", "failure", "expired"),
        (VerificationRecovered, "verification.recovered", "success", None),
    ],
)
def test_an_expiry_event_is_in_the_audit_trail_with_its_credential(
    kind: type, action: str, outcome: str, reason: str | None
) -> None:
    [row] = audit.project(recorded(kind, action))
    assert (row.values["action"], row.values["outcome"], row.values["reason"]) == (action, outcome, reason)
    assert (row.values["credential_id"], row.values["registry_host"]) == (CREDENTIAL, "ghcr.io")
    assert row.values["secret_version"] == 3
    assert row.copied == {"credential_name": "name"}


def test_a_discovered_expiry_is_shown_if_the_owner_set_none() -> None:
    [change] = credentials.project(recorded(ExpiryDiscovered, "verification.expiry_discovered"))
    assert isinstance(change, Update)
    assert change.values == {"expires_at": END}
    assert change.where == {"secret_version": 3, "expires_at": None}


@pytest.mark.parametrize("kind", [ExpiryApproached, ExpiryPassed, VerificationRecovered])
def test_notices_do_not_change_the_list(kind: type) -> None:
    assert credentials.project(recorded(kind, "x")) == []
