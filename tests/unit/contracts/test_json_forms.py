"""The JSON forms have every field of their schemas, and the tables have every field of the details."""

from dataclasses import fields
from uuid import UUID

from contracts.credential import columns, credential_json
from contracts.credential_events import Details, Scope
from contracts.schemas import CredentialSchema, ProbeSchema, VerificationSchema
from contracts.verification import probe_json, verification_json
from contracts.verification_events import ImageProbe
from tests.support.credentials_suite import a_credential

ROW = {
    **columns(a_credential()),
    "credential_id": UUID(int=1),
    "account_id": "acme",
    "version": 1,
    "created_at": None,
    "updated_at": None,
    "verification_status": "pending",
    "verification_code": None,
    "verification_detail": None,
    "verification_checked_at": None,
}


def test_a_credential_has_every_field_of_its_schema() -> None:
    form = credential_json(ROW)
    schema = CredentialSchema().fields
    assert list(form) == list(schema)
    for nested in ("scope", "restrictions", "verification"):
        assert list(form[nested]) == list(schema[nested].schema.fields)  # type: ignore[attr-defined]


def test_a_verification_has_every_field_of_its_schema() -> None:
    form = verification_json(verification_id=None, trigger="requested", secret_version=None)
    assert list(form) == list(VerificationSchema().fields)
    probe = ImageProbe(image="ghcr.io/acme/shop:1", code=None, detail="the login can pull")
    assert list(probe_json(probe, None)) == list(ProbeSchema().fields)


def test_the_columns_include_every_detail() -> None:
    names = {field.name for field in (*fields(Details), *fields(Scope))} - {"scope"}
    assert set(columns(a_credential().details)) == names
