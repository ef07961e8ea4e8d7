"""Schemas of the responses that several HTTP APIs share. The OpenAPI document is generated from them."""

from typing import Any, get_args

from marshmallow import Schema, fields

from chassis.bounded_list import BoundedList
from contracts.credential_events import MAX_ADDITIONAL_HOSTS, MAX_MIRRORED, MAX_PROJECTS, WhyDiscarded
from contracts.verdicts import VerificationCode, VerificationStatus

_STATUS = {"enum": [status.value for status in VerificationStatus]}
_CODE = {"enum": [*(code.value for code in VerificationCode), None]}


class ScopeSchema(Schema):
    pull = fields.Boolean(required=True, metadata={"description": "The credential is for pulling images."})
    push = fields.Boolean(required=True, metadata={"description": "The credential is for pushing images."})


class RestrictionsSchema(Schema):
    restricted = fields.Boolean(
        required=True, metadata={"description": "false: every project of the account may use the credential."}
    )
    projects = BoundedList(
        fields.String(),
        most=MAX_PROJECTS,
        load_default=list,
        metadata={
            "description": "The projects that may use the credential while it is restricted. Empty: none."
        },
    )


class VerificationStateSchema(Schema):
    status = fields.String(metadata=_STATUS)
    code = fields.String(allow_none=True, metadata=_CODE)
    detail = fields.String(allow_none=True)
    checked_at = fields.DateTime(allow_none=True)


class RotationStateSchema(Schema):
    """A rotation that is done only if a login with the new secret is accepted."""

    id = fields.UUID()
    status = fields.String(metadata={"enum": ["pending", "discarded"]})
    deadline = fields.DateTime(
        allow_none=True,
        metadata={"description": "While it is pending: discarded without a login until then."},
    )
    reason = fields.String(
        allow_none=True,
        metadata={
            "enum": [*get_args(get_args(WhyDiscarded)[0]), None],
            "description": "Why it was discarded. The credential has its former secret.",
        },
    )
    code = fields.String(allow_none=True, metadata=_CODE)
    detail = fields.String(allow_none=True)


class WorkloadSchema(Schema):
    """What pulls images: kind and name, as the deploy platform defines them."""

    kind = fields.String(
        required=True, metadata={"example": "deployment", "description": "Case does not matter."}
    )
    name = fields.String(required=True, metadata={"example": "storefront"})


class AdditionalHosts(BoundedList):
    """Hosts in a request, besides the registry of the credential."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            fields.String(),
            most=MAX_ADDITIONAL_HOSTS,
            metadata={
                "description": "Other registries that accept the same login, as host[:port]. The secret is "
                "sent to them too: to verify it with a login at each, and in pull secrets for their images.",
                "example": ["docker.acme.com"],
            },
            **options,
        )


class MirrorOf(BoundedList):
    """Registries in a request, of which the hosts of the credential are mirrors."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            fields.String(),
            most=MAX_MIRRORED,
            metadata={
                "description": "The registries that its hosts are mirrors of (pull-through caches), as "
                "host[:port]. Pull secrets for images of these registries then also have the login of the "
                "mirror, under the key of the mirror. The secret is not sent to these registries.",
                "example": ["docker.io"],
            },
            **options,
        )


class CredentialSchema(Schema):
    """A credential, without its secret."""

    id = fields.UUID()
    account_id = fields.String()
    name = fields.String()
    provider = fields.String()
    registry_host = fields.String()
    additional_hosts = fields.List(
        fields.String(), metadata={"description": "Other hosts that accept the same login."}
    )
    mirror_of = fields.List(
        fields.String(), metadata={"description": "The registries that its hosts are mirrors of."}
    )
    location = fields.String(allow_none=True)
    username = fields.String()
    repository_prefixes = fields.List(fields.String())
    description = fields.String()
    scope = fields.Nested(ScopeSchema)
    restrictions = fields.Nested(RestrictionsSchema)
    secret_version = fields.Integer()
    expires_at = fields.DateTime(allow_none=True)
    frozen = fields.Boolean(metadata={"description": "While it is frozen, its secret is issued to nobody."})
    verification = fields.Nested(VerificationStateSchema)
    rotation = fields.Nested(
        RotationStateSchema,
        allow_none=True,
        metadata={"description": "The rotation that waits for a login, or was discarded last."},
    )
    version = fields.Integer()
    created_at = fields.DateTime()
    updated_at = fields.DateTime()


class ProbeSchema(Schema):
    """The access of a valid login to an image. The login is valid whatever the result is."""

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
        metadata={"description": "Present if an image was named and the login is valid."},
    )
