"""An event of the log as changes, or as the reason why it cannot be projected."""

from uuid import UUID

import pytest

from contracts.credential_events import CredentialRemoved
from contracts.issuance_events import SecretIssuedV2, SecretRefusedV2, Workload
from contracts.streams import credential_stream
from eventlog.events import StoredEvent, encode, encode_metadata
from projector.write.projections.projected_event import project
from tests.support.builders import MOMENT, metadata

ID = UUID(int=1)
METADATA = encode_metadata(metadata()).decode()


def stored(
    payload: object, *, data: str | None = None, version: int | None = None, metadata: str = METADATA
) -> StoredEvent:
    name, newest, encoded = encode(payload)
    return StoredEvent(
        event_id=UUID(int=7),
        stream=credential_stream(ID),
        version=3,
        type=name,
        schema_version=version or newest,
        payload=data or encoded.decode(),
        metadata=metadata,
        recorded_at=MOMENT,
        position=42,
    )


REMOVED = CredentialRemoved(credential_id=ID, reason=None, forced=False)


def test_a_readable_event_gives_an_audit_row_and_changes() -> None:
    reading = project(stored(REMOVED))
    assert (reading.position, reading.stream_id, reading.credential_id, reading.reason) == (42, ID, ID, None)
    assert len(reading.audit_rows) == len(reading.changes) == 1


@pytest.mark.parametrize(
    "event", [stored(REMOVED, version=99), stored(REMOVED, data="{}"), stored(REMOVED, data="[")]
)
def test_an_unreadable_payload_still_gives_an_audit_row(event: StoredEvent) -> None:
    reading = project(event)
    assert reading.reason
    assert reading.changes == ()
    [row] = reading.audit_rows
    assert (row.values["action"], row.values["actor_id"]) == ("credential.removed", "ada")
    assert reading.credential_id == ID  # a credential's stream has its id


def test_unreadable_metadata_gives_no_audit_row() -> None:
    reading = project(stored(REMOVED, metadata="{}"))
    assert (len(reading.audit_rows), reading.credential_id) == (0, None)
    assert reading.reason


def test_the_audit_trail_shows_an_issued_secret_and_its_images() -> None:
    issued = SecretIssuedV2(
        issuance_id=UUID(int=5),
        project_id="shop",
        workload=Workload(kind="deployment", name="web"),
        registry_host="ghcr.io",
        images=("ghcr.io/acme/a:1", "ghcr.io/acme/b:1"),
        credential_id=ID,
        credential_name="team",
        secret_version=2,
        format="docker_config",
        operation="pull",
    )
    [row] = project(stored(issued)).audit_rows
    shown = {
        "outcome": "success",
        "credential_id": ID,
        "credential_name": "team",
        "project_id": "shop",
        "registry_host": "ghcr.io",
        "image": "ghcr.io/acme/a:1, ghcr.io/acme/b:1",
        "secret_version": 2,
    }
    assert {name: row.values[name] for name in shown} == shown


def test_the_audit_trail_shows_a_refusal_and_its_reason() -> None:
    refused = SecretRefusedV2(
        issuance_id=UUID(int=5),
        project_id="shop",
        workload=Workload(kind="deployment", name="web"),
        registry_host="ghcr.io",
        images=("ghcr.io/acme/a:1",),
        reason="no_eligible_credential",
        anonymous=False,
        candidates=(),
    )
    [row] = project(stored(refused)).audit_rows
    shown = {
        "outcome": "denied",
        "reason": "no_eligible_credential",
        "project_id": "shop",
        "image": "ghcr.io/acme/a:1",
    }
    assert {name: row.values[name] for name in shown} == shown
