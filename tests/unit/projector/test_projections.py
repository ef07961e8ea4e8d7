"""The changes of an event. The integration tests apply them to a database."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from msgspec import structs

from contracts.access_events import AccessDenied
from contracts.credential_events import (
    NO_OTHER_HOSTS,
    CredentialAccessWithdrawn,
    CredentialDetailsChanged,
    CredentialFrozen,
    CredentialHostsChanged,
    CredentialRemoved,
    CredentialRestrictionsChanged,
    CredentialSecretRolledBack,
    CredentialSecretRotated,
    CredentialThawed,
    Hosts,
    Restrictions,
    VerificationRequested,
)
from contracts.issuance_events import SecretIssuedV2, Workload
from contracts.streams import credential_stream
from contracts.verdicts import VerificationCode
from contracts.verification_events import ImageProbe, VerificationFailed, VerificationSucceeded
from eventlog.events import RecordedEvent
from projector.write.projections import audit, audit_index, credentials, usages, verifications
from projector.write.projections.changes import Change, Delete, Insert, Put, Update
from tests.support.builders import EVERYBODY, GITHUB, MOMENT, added, details, metadata, secret_reference

ID = UUID(int=1)
DETAILS = details(repository_prefixes=("a/",))
REGISTRY = GITHUB
SECRET = secret_reference()
ADDED = added(ID, username="u", details=DETAILS)
ROTATED = CredentialSecretRotated(
    credential_id=ID,
    registry=replace(REGISTRY, host="reg.example.com", provider="custom"),
    username="v",
    secret=replace(SECRET, version=2),
    expires_at=MOMENT,
    previous_registry=REGISTRY,
    previous_username="u",
    previous_secret=SECRET,
    previous_expires_at=None,
    previous_valid_until=MOMENT,
)
FAILED = VerificationFailed(
    verification_id=UUID(int=9),
    credential_id=ID,
    registry_host="ghcr.io",
    provider="github",
    secret_version=1,
    trigger="added",
    code=VerificationCode.BAD_CREDENTIAL,
    detail="refused",
    retry_after=None,
    checked_at=MOMENT,
    duration_ms=12,
)
SUCCEEDED = VerificationSucceeded(
    verification_id=UUID(int=8),
    credential_id=ID,
    registry_host="ghcr.io",
    provider="github",
    secret_version=1,
    trigger="requested",
    detail="ok",
    confidence="strong",
    checked_at=MOMENT,
    duration_ms=12,
)


PROBED = replace(
    SUCCEEDED,
    probe=ImageProbe(image="ghcr.io/a/b:1", code=VerificationCode.NO_PULL_ACCESS, detail="hidden"),
)


def recorded(payload: object, type_: str = "x.y", version: int = 3) -> RecordedEvent:
    return RecordedEvent(
        event_id=UUID(int=7),
        stream=credential_stream(ID),
        version=version,
        type=type_,
        schema_version=1,
        payload=payload,
        metadata=metadata(
            request_id="r",
            correlation_id="c",
            causation_id="b",
            on_behalf_of="ada@example.com",
            source_ip="192.0.2.1",
        ),
        recorded_at=MOMENT,
        position=42,
    )


def only(changes: Sequence[Change]) -> Change:
    [change] = changes
    return change


def test_an_added_credential_is_inserted_as_pending() -> None:
    row = only(credentials.project(recorded(ADDED, version=1)))
    assert isinstance(row, Insert)
    assert row.values["verification_status"] == "pending"
    assert row.values["account_id"] == "acme"
    assert row.values["registry_host"] == "ghcr.io"
    assert row.values["version"] == 1
    assert row.values["created_at"] == row.values["updated_at"] == MOMENT


def test_a_rotation_resets_the_verification() -> None:
    change = only(credentials.project(recorded(ROTATED)))
    assert isinstance(change, Update)
    assert change.key == ID
    assert change.values["secret_version"] == 2
    assert change.values["verification_status"] == "pending"
    assert change.values["registry_host"] == "reg.example.com"
    assert change.values["expires_at"] == MOMENT


def test_an_outcome_changes_only_the_row_of_its_secret() -> None:
    for outcome, status, code in ((FAILED, "failed", "bad_credential"), (SUCCEEDED, "verified", None)):
        change = only(credentials.project(recorded(outcome)))
        assert isinstance(change, Update)
        assert change.where == {"secret_version": 1}
        assert change.values["verification_status"] == status
        assert change.values["verification_code"] == code
        assert "version" not in change.values  # the credential itself has not changed


def test_a_rate_limited_login_is_shown_as_unreachable() -> None:
    change = only(credentials.project(recorded(replace(FAILED, code=VerificationCode.RATE_LIMITED))))
    assert isinstance(change, Update)
    assert change.values["verification_status"] == "unreachable"


def test_a_requested_verification_changes_no_credential() -> None:
    requested = VerificationRequested(credential_id=ID, secret_version=1, trigger="requested")
    assert credentials.project(recorded(requested)) == []


def test_a_removed_credential_is_deleted() -> None:
    removed = CredentialRemoved(credential_id=ID, reason=None, forced=False)
    assert only(credentials.project(recorded(removed))) == Delete("credentials", ID)


def test_every_outcome_is_in_the_verification_history() -> None:
    row = only(verifications.project(recorded(FAILED)))
    assert isinstance(row, Insert)
    assert (row.values["position"], row.values["status"]) == (42, "failed")
    assert verifications.project(recorded(ADDED)) == []


def test_the_audit_trail_shows_actor_action_and_reason() -> None:
    row = only(audit.project(recorded(ADDED, "credential.added")))
    assert isinstance(row, Insert)
    expected = {
        "position": 42,
        "action": "credential.added",
        "outcome": "success",
        "actor_id": "ada",
        "on_behalf_of": "ada@example.com",
        "source_ip": "192.0.2.1",
        "credential_name": "team",
        "registry_host": "ghcr.io",
        "causation_id": "b",
        "before": None,
    }
    assert {key: row.values[key] for key in expected} == expected
    assert row.copied == {}


def test_the_audit_trail_shows_values_before_and_after() -> None:
    renamed = CredentialDetailsChanged(
        credential_id=ID, details=replace(DETAILS, name="crew"), previous=DETAILS
    )
    row = only(audit.project(recorded(renamed)))
    assert isinstance(row, Insert)
    before, after = row.values["before"], row.values["after"]
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    assert (before["name"], after["name"]) == ("team", "crew")
    assert row.copied == {"registry_host": "registry_host"}
    restricted = CredentialRestrictionsChanged(
        credential_id=ID, restrictions=Restrictions(restricted=True, projects=("shop",)), previous=EVERYBODY
    )
    row = only(audit.project(recorded(restricted)))
    assert isinstance(row, Insert)
    after = row.values["after"]
    assert isinstance(after, dict)
    assert (after["restricted"], list(after["projects"])) == (True, ["shop"])
    assert row.copied == {"credential_name": "name", "registry_host": "registry_host"}


def test_the_audit_trail_shows_why_workloads_lost_a_credential() -> None:
    row = only(
        audit.project(recorded(CredentialAccessWithdrawn(credential_id=ID, reason="moved", workloads=2)))
    )
    assert isinstance(row, Insert)
    assert (row.values["credential_id"], row.values["reason"]) == (ID, "moved")
    assert row.values["after"] == {"workloads": 2}
    assert ("reason",) in audit.personal_paths()["credential.access_withdrawn"]


@pytest.mark.parametrize(
    ("event", "frozen"),
    [
        (CredentialFrozen(credential_id=ID, reason="leaked"), True),
        (CredentialThawed(credential_id=ID, reason="leaked"), False),
    ],
)
def test_read_models_show_whether_and_why_a_credential_is_frozen(event: object, frozen: bool) -> None:
    stored = recorded(event)
    change = only(credentials.project(stored))
    assert isinstance(change, Update)
    assert (change.values["frozen"], change.values["version"]) == (frozen, stored.version)
    row = only(audit.project(stored))
    assert isinstance(row, Insert)
    assert (row.values["credential_id"], row.values["reason"]) == (ID, "leaked")
    assert ("reason",) in audit.personal_paths()["credential.frozen" if frozen else "credential.thawed"]


def test_the_audit_trail_shows_which_version_was_restored() -> None:
    row = only(audit.project(recorded(CredentialSecretRolledBack(credential_id=ID, restored_version=1))))
    assert isinstance(row, Insert)
    assert (row.values["credential_id"], row.values["after"]) == (ID, {"restored_version": 1})


def test_other_hosts_are_pending_and_recorded_before_and_after() -> None:
    hosts = Hosts(additional_hosts=("docker.acme.com",), mirror_of=("docker.io",))
    stored = recorded(CredentialHostsChanged(credential_id=ID, hosts=hosts, previous=NO_OTHER_HOSTS))
    change = only(credentials.project(stored))
    assert isinstance(change, Update)
    assert change.values["additional_hosts"] == ["docker.acme.com"]
    assert (change.values["mirror_of"], change.values["verification_status"]) == (["docker.io"], "pending")
    row = only(audit.project(stored))
    assert isinstance(row, Insert)
    assert row.values["before"] == {"additional_hosts": (), "mirror_of": ()}
    assert row.values["after"] == {"additional_hosts": ("docker.acme.com",), "mirror_of": ("docker.io",)}


def test_the_audit_trail_of_a_rotation_shows_whether_the_secret_changed() -> None:
    def prints(event: CredentialSecretRotated, account_id: str = "acme") -> tuple[str, str]:
        stored = recorded(event)
        row = only(
            audit.project(structs.replace(stored, metadata=replace(stored.metadata, account_id=account_id)))
        )
        assert isinstance(row, Insert)
        before, after = row.values["before"], row.values["after"]
        assert isinstance(before, dict)
        assert isinstance(after, dict)
        assert (before["secret_version"], after["secret_version"]) == (1, 2)
        assert SECRET.fingerprint not in str(before) + str(after)
        return before["secret_fingerprint"], after["secret_fingerprint"]

    before, after = prints(ROTATED)
    assert before == after  # the same secret again
    other = replace(ROTATED, secret=replace(SECRET, version=2, fingerprint="0" * 32))
    assert prints(other)[0] == before != prints(other)[1]
    assert prints(ROTATED, "somebody-else")[0] != before


def test_the_audit_trail_shows_the_reason_of_a_failure() -> None:
    row = only(audit.project(recorded(FAILED)))
    assert isinstance(row, Insert)
    assert (row.values["outcome"], row.values["reason"]) == ("failure", "bad_credential")
    removed = CredentialRemoved(credential_id=ID, reason="left", forced=True)
    row = only(audit.project(recorded(removed)))
    assert isinstance(row, Insert)
    assert row.values["reason"] == "left"


def test_an_unknown_event_is_in_the_audit_trail() -> None:
    row = only(audit.project(recorded(object(), "something.new")))
    assert isinstance(row, Insert)
    assert row.values["action"] == "something.new"
    assert credentials.project(recorded(object())) == []


def issuance() -> SecretIssuedV2:
    return SecretIssuedV2(
        issuance_id=UUID(int=5),
        project_id="shop",
        workload=Workload(kind="deployment", name="front"),
        registry_host="ghcr.io",
        images=("ghcr.io/acme/shop:1", "ghcr.io/acme/cart:2"),
        credential_id=ID,
        credential_name="team",
        secret_version=4,
        format="basic",
        operation="push",
    )


def test_an_issued_secret_is_recorded_as_usage() -> None:
    change = only(usages.project(recorded(issuance())))
    assert isinstance(change, Put)
    assert change.key == change.values["usage_id"]
    assert change.values["images"] == ["ghcr.io/acme/shop:1", "ghcr.io/acme/cart:2"]
    assert (change.values["secret_version"], change.values["last_used_at"]) == (4, MOMENT)
    other = replace(issuance(), workload=Workload(kind="deployment", name="back"))
    assert only(usages.project(recorded(other))) != change
    spelled = replace(issuance(), workload=Workload(kind="Deployment", name="front"))
    assert only(usages.project(recorded(spelled))) == change
    assert usages.project(recorded(ADDED)) == []


def images(changes: Sequence[Change]) -> list[Any]:
    return [change.values for change in changes if isinstance(change, Insert)]


def test_an_audit_row_is_indexed_by_each_image() -> None:
    assert images(audit_index.project(recorded(issuance()))) == [
        {"account_id": "acme", "image": "ghcr.io/acme/shop:1", "position": 42},
        {"account_id": "acme", "image": "ghcr.io/acme/cart:2", "position": 42},
    ]


def test_audit_rows_extend_the_times_of_their_spans() -> None:
    later = MOMENT + timedelta(seconds=1)
    trail = [
        Insert("audit_events", {"position": position, "time": time})
        for position, time in ((1022, later), (1023, MOMENT), (1024, MOMENT), (1025, later))
    ]
    assert audit_index.spans([*trail, Insert("audit_images", {"position": 2048})]) == [
        Put(
            "audit_spans",
            span,
            {"span": span, "earliest": MOMENT, "latest": later},
            least=("earliest",),
            greatest=("latest",),
        )
        for span in (0, 1)
    ]
    assert audit_index.spans([]) == []


def test_an_issuance_is_in_the_audit_trail() -> None:
    row = only(audit.project(recorded(issuance(), "secret.issued")))
    assert isinstance(row, Insert)
    wanted = {
        "outcome": "success",
        "project_id": "shop",
        "credential_id": ID,
        "credential_name": "team",
        "registry_host": "ghcr.io",
        "image": "ghcr.io/acme/shop:1, ghcr.io/acme/cart:2",
        "secret_version": 4,
    }
    assert {name: row.values[name] for name in wanted} == wanted
    assert row.copied == {}


def test_a_failed_probe_is_stored_with_the_successful_login() -> None:
    probe = {"image": "ghcr.io/a/b:1", "code": "no_pull_access", "detail": "hidden"}
    (change,) = credentials.project(recorded(PROBED))
    assert isinstance(change, Update)
    assert (change.values["verification_status"], change.values["verification_code"]) == ("verified", None)
    (row,) = verifications.project(recorded(PROBED))
    assert isinstance(row, Insert)
    assert (row.values["status"], row.values["probe"]) == ("verified", probe)
    (entry,) = audit.project(recorded(PROBED))
    assert entry.values["outcome"] == "success"
    assert entry.values["image"] == "ghcr.io/a/b:1"
    assert entry.values["after"]["probe"] == probe
    assert [row["image"] for row in images(audit_index.project(recorded(PROBED)))] == ["ghcr.io/a/b:1"]


def denied(*images: str) -> AccessDenied:
    return AccessDenied(
        refusal_id=UUID(int=9),
        method="POST",
        route="/v1/accounts/<account_id>/pull-secrets",
        reason="project_forbidden",
        requested_account="acme",
        project_id="blog",
        credential_id=ID,
        images=images,
        further_images=0,
        omitted=0,
    )


def row_of(payload: AccessDenied) -> Insert:
    row = only(audit.project(recorded(payload, "access.denied")))
    assert isinstance(row, Insert)
    return row


def test_a_denied_request_is_found_by_its_images_and_registry() -> None:
    payload = denied("ghcr.io/acme/shop:1", "ghcr.io/acme/cart:2")
    values: Any = row_of(payload).values
    assert (values["registry_host"], values["image"]) == (
        "ghcr.io",
        "ghcr.io/acme/shop:1, ghcr.io/acme/cart:2",
    )
    # The caller named this credential; it may belong to another account, so it is not that of the row.
    assert values["credential_id"] is None
    assert values["after"]["credential_id"] == str(ID)
    assert [row.values["image"] for row in audit_index.project(recorded(payload))] == list(payload.images)
    assert row_of(denied("ghcr.io/a:1", "quay.io/b:1")).values["registry_host"] is None
    assert row_of(denied()).values["image"] is None
