"""Every event is in the audit trail and in the completion of the CLI, and those of credentials are in their list."""

from dataclasses import fields
from typing import Any

import pytest

from contracts.credential import is_change
from docs.contract_documents.examples import CREDENTIAL, EXAMPLES, METADATA
from eventlog.events import EVENTS, EventType, RecordedEvent, encode
from eventlog.events.codec import decode
from projector.write.projections import audit, credentials
from projector.write.projections.changes import Delete, Update
from regcred.cli.audit_actions import AUDIT_ACTIONS
from tests.support.builders import MOMENT

KINDS = [kind for kind in EVENTS.all_types() if kind.payload_class in EXAMPLES]
OF_CREDENTIALS = [kind for kind in KINDS if EXAMPLES[kind.payload_class][1].category == "credential"]
VERSION = 7


def recorded(kind: EventType) -> RecordedEvent:
    payload, stream = EXAMPLES[kind.payload_class]
    return RecordedEvent(
        event_id=CREDENTIAL,
        stream=stream,
        version=VERSION,
        type=kind.name,
        schema_version=kind.version,
        payload=decode(*encode(payload)),  # as consumers read it
        metadata=METADATA,
        recorded_at=MOMENT,
        position=42,
    )


def name_of(kind: Any) -> str:
    return f"{kind.name}.v{kind.version}"


@pytest.mark.parametrize("kind", OF_CREDENTIALS, ids=name_of)
def test_the_list_of_credentials_has_the_version_of_every_change(kind: EventType) -> None:
    """A stale version would fail every later request that sends it in `If-Match`."""
    event = recorded(kind)
    changes = credentials.project(event)
    if not is_change(event.payload):
        updates = [change for change in changes if isinstance(change, Update)]
        assert updates == changes
        assert all(not {"version", "updated_at"} & update.values.keys() for update in updates)
        return
    assert any(isinstance(change, Delete) or change.values.get("version") == VERSION for change in changes), (
        "add a case to services/projector/write/projections/credentials.py"
    )


@pytest.mark.parametrize("kind", KINDS, ids=name_of)
def test_the_audit_row_of_every_event_shows_its_content(kind: EventType) -> None:
    [row] = audit.project(recorded(kind))
    assert row.values["action"] == kind.name
    content = {field.name for field in fields(kind.payload_class)} - {"credential_id"}
    shown = [row.values[column] for column in ("reason", "before", "after")]
    assert any(shown) == bool(content), "add a case to services/projector/write/projections/audit.py"


def test_the_completion_of_audit_actions_offers_every_event() -> None:
    assert sorted(AUDIT_ACTIONS) == sorted({kind.name for kind in KINDS})
