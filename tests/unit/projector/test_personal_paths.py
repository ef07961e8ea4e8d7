"""The paths of personal fields in the audit trail."""

from eventlog.events import Metadata, personal_fields
from projector.write.projections.audit import personal_paths

# `rm.erase_account` has these columns of the metadata by name.
COLUMNS = {
    "actor": {"id": True, "name": True},
    "request_id": True,
    "correlation_id": True,
    "on_behalf_of": True,
    "source_ip": True,
}


def test_the_sql_erases_the_personal_fields_of_metadata() -> None:
    assert personal_fields(Metadata) == COLUMNS


def test_the_paths_are_derived_from_the_event_classes() -> None:
    paths = personal_paths()
    assert {("username",), ("details", "name"), ("details", "description")} <= set(paths["credential.added"])
    assert {("name",), ("description",)} <= set(paths["credential.details_changed"])
    assert paths["credential.secret_rotated"] == [("username",)]
    assert paths["credential.removed"] == [("reason",)]
    assert {("filters", "actor"), ("filters", "image")} <= set(paths["audit.read"])
    assert {("workload", "kind"), ("workload", "name")} <= set(paths["secret.issued"])
    assert "verification.succeeded" not in paths
