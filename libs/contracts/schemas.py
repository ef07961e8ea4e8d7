"""Schemas of what both HTTP services answer: the OpenAPI document is made from them."""

from marshmallow import Schema, fields

from contracts.verdicts import VerificationCode, VerificationStatus

_STATUS = {"enum": [status.value for status in VerificationStatus]}
_CODE = {"enum": [*(code.value for code in VerificationCode), None]}


class ScopeSchema(Schema):
    pull = fields.Boolean(required=True, metadata={"description": "It can be used to pull images."})
    push = fields.Boolean(required=True, metadata={"description": "It can be used to push images."})


class RestrictionsSchema(Schema):
    restricted = fields.Boolean(
        required=True, metadata={"description": "false: every project of the account may use it."}
    )
    projects = fields.List(
        fields.String(),
        load_default=list,
        metadata={"description": "The projects that may use it while it is restricted. Empty: none may."},
    )


class VerificationStateSchema(Schema):
    status = fields.String(metadata=_STATUS)
    code = fields.String(allow_none=True, metadata=_CODE)
    detail = fields.String(allow_none=True)
    checked_at = fields.DateTime(allow_none=True)


class WorkloadSchema(Schema):
    """What images run in, in the platform's own words."""

    kind = fields.String(required=True, metadata={"example": "deployment"})
    name = fields.String(required=True, metadata={"example": "storefront"})


class CredentialSchema(Schema):
    """A credential as it is answered; never a secret."""

    id = fields.UUID()
    account_id = fields.String()
    name = fields.String()
    provider = fields.String()
    registry_host = fields.String()
    location = fields.String(allow_none=True)
    username = fields.String()
    repository_prefixes = fields.List(fields.String())
    description = fields.String()
    scope = fields.Nested(ScopeSchema)
    restrictions = fields.Nested(RestrictionsSchema)
    secret_version = fields.Integer()
    expires_at = fields.DateTime(allow_none=True)
    verification = fields.Nested(VerificationStateSchema)
    version = fields.Integer()
    created_at = fields.DateTime()
    updated_at = fields.DateTime()


class ProbeSchema(Schema):
    """The result of a good login on an image; the login is good whatever this says."""

    image = fields.String()
    code = fields.String(
        allow_none=True,
        metadata={**_CODE, "description": "Null: the login has the access that the scope declares."},
    )
    detail = fields.String()
    help = fields.String(allow_none=True, metadata={"description": "Advice for that provider."})


class VerificationSchema(Schema):
    """A verification, finished or pending."""

    id = fields.UUID()
    status = fields.String(metadata=_STATUS)
    code = fields.String(allow_none=True, metadata=_CODE)
    detail = fields.String(allow_none=True)
    help = fields.String(allow_none=True, metadata={"description": "Advice for that provider."})
    trigger = fields.String(metadata={"enum": ["added", "rotated", "requested", "scheduled"]})
    secret_version = fields.Integer()
    checked_at = fields.DateTime(allow_none=True)
    duration_ms = fields.Integer(allow_none=True)
    probe = fields.Nested(
        ProbeSchema,
        allow_none=True,
        metadata={"description": "Present if an image was named and the login is good."},
    )
