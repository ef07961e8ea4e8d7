"""What may be sent to a command route. Shape only: what values may be is the domain's to say."""

from marshmallow import Schema, fields, validate

from credentials.domain.commands import DEFAULT_GRACE, MAX_GRACE
from shared.auth.tokens import TokenScope
from shared.web.credential_input import CREDENTIAL, PROBED_IMAGE, PROVIDER, CredentialInput
from shared.web.schemas import RestrictionsSchema, ScopeSchema


class AddSchema(Schema):
    """A registry credential to store."""

    name = fields.String(required=True, metadata={"example": "team-ghcr"})
    provider = fields.String(required=True, metadata=PROVIDER)
    registry_url = fields.String(
        load_default=None,
        allow_none=True,
        metadata={"description": "host[:port], if the provider does not fix it."},
    )
    location = fields.String(
        load_default=None, allow_none=True, metadata={"description": "Location of a Google registry."}
    )
    description = fields.String(load_default="")
    credential = CredentialInput(required=True, metadata=CREDENTIAL)
    scope = fields.Nested(ScopeSchema, load_default=lambda: {"pull": True, "push": False})
    repository_prefixes = fields.List(fields.String(), load_default=list)
    restrictions = fields.Nested(
        RestrictionsSchema, load_default=lambda: {"restricted": False, "projects": []}
    )
    expires_at = fields.AwareDateTime(load_default=None, allow_none=True)


class ChangeSchema(Schema):
    """Details to be changed; what is not named stays."""

    name = fields.String()
    description = fields.String()
    scope = fields.Nested(ScopeSchema)
    repository_prefixes = fields.List(fields.String())
    expires_at = fields.AwareDateTime(allow_none=True)


class RotateSchema(Schema):
    """A new secret. The registry stays unless another is named: changing it needs the secret again."""

    credential = CredentialInput(required=True, metadata=CREDENTIAL)
    registry_url = fields.String(allow_none=True)
    location = fields.String(allow_none=True)
    expires_at = fields.AwareDateTime(allow_none=True)
    grace_seconds = fields.Integer(
        strict=True,
        load_default=int(DEFAULT_GRACE.total_seconds()),
        validate=validate.Range(0, int(MAX_GRACE.total_seconds())),
        metadata={
            "description": "How long the previous secret stays readable at least, for requests in progress. "
            "0: it is destroyed at once. Pull secrets contain the new one from now on in any case."
        },
    )


class VerifySchema(Schema):
    """What a new login is to prove; nothing has to be sent."""

    image = fields.String(load_default=None, allow_none=True, metadata=PROBED_IMAGE)


class DryRunArguments(Schema):
    dry_run = fields.Boolean(
        load_default=False, metadata={"description": "Answer which workloads would lose it; change nothing."}
    )


class RemoveArguments(DryRunArguments):
    force = fields.Boolean(
        load_default=False, metadata={"description": "Remove it although it is in use. Needs a reason."}
    )
    reason = fields.String(load_default=None, metadata={"description": "For the audit trail."})


class TokenInput(Schema):
    """A service token to create."""

    name = fields.String(required=True, validate=validate.Length(1, 100))
    scopes = fields.List(
        fields.String(validate=validate.OneOf([scope.value for scope in TokenScope])),
        required=True,
        validate=validate.Length(min=1),
    )
    accounts = fields.List(fields.String(), load_default=None, allow_none=True)
    projects = fields.List(fields.String(), load_default=None, allow_none=True)
    expires_at = fields.AwareDateTime(load_default=None, allow_none=True)


class TokenSchema(Schema):
    """A service token. The token itself is only in the answer that creates it."""

    id = fields.String()
    name = fields.String()
    scopes = fields.List(fields.String())
    accounts = fields.List(fields.String(), allow_none=True)
    projects = fields.List(fields.String(), allow_none=True)
    created_at = fields.DateTime()
    created_by = fields.String()
    expires_at = fields.DateTime(allow_none=True)
    revoked_at = fields.DateTime(allow_none=True)


class NewTokenSchema(TokenSchema):
    token = fields.String()


class TokenPage(Schema):
    items = fields.List(fields.Nested(TokenSchema))
    next_cursor = fields.String(allow_none=True)
