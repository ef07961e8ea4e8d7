"""The fields of a request by which a caller chooses a credential."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from credentials.domain.values import MAX_NAME

_BOTH = "give credential_id or credential_name, not both"


class CredentialChoice(Schema):
    """A choice among the credentials of a registry."""

    credential_id = fields.UUID(
        load_default=None,
        allow_none=True,
        metadata={
            "description": "The credential to use for images of its registry, in place of the one that ranks "
            "first. It must be eligible. Images of other registries are not affected."
        },
    )
    credential_name = fields.String(
        load_default=None,
        allow_none=True,
        validate=[
            validate.Length(1, MAX_NAME),
            validate.ContainsNoneOf("\0", error="Must not contain a NUL character."),
        ],
        metadata={"description": "Its name, in place of `credential_id`. Case does not matter."},
    )

    @validates_schema
    def _one_of_both(self, data: Mapping[str, Any], **_: Any) -> None:
        if data.get("credential_id") is not None and data.get("credential_name") is not None:
            raise ValidationError(_BOTH, "credential_name")


def choice_of(values: Mapping[str, Any]) -> UUID | str | None:
    """Return the id or name of the chosen credential, or `None`."""
    found: UUID | str | None = values["credential_id"] or values["credential_name"]
    return found
