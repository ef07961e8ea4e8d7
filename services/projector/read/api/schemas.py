"""The arguments and responses of queries."""

from marshmallow import Schema, fields, validate

from chassis.web.moment import Moment
from chassis.web.openapi import SOMETIMES
from contracts.actions import ACTIONS
from contracts.audit_events import MAX_FILTER
from contracts.schemas import CredentialSchema, VerificationSchema, WorkloadSchema
from contracts.verdicts import VerificationStatus
from projector.read.api.filters import RecordedImageFilter, RegistryHostFilter
from projector.read.api.live_export import DEFAULT_SECONDS, MAX_SECONDS
from projector.read.selection import MAX_LIMIT
from registries.catalogue import PROVIDERS
from registries.matching import IneligibleReason

_NO_NUL = validate.ContainsNoneOf("\0", error="Must not contain a NUL character.")


_ANY_HOST = {"description": "In any spelling."}


def _filter(description: str | None = None) -> fields.String:
    metadata = {"description": description} if description else {}
    limits = [validate.Length(max=MAX_FILTER), _NO_NUL]
    return fields.String(load_default=None, validate=limits, metadata=metadata)


class PageArguments(Schema):
    limit = fields.Integer(
        load_default=50,
        validate=validate.Range(1, MAX_LIMIT),
        metadata={"description": "The number of items of the page."},
    )
    cursor = fields.String(
        load_default=None,
        validate=validate.Length(max=1000),
        metadata={"description": "The `next_cursor` of the page before. The first page has none."},
    )


class CredentialArguments(PageArguments):
    provider = fields.String(load_default=None, validate=validate.OneOf([one.id for one in PROVIDERS]))
    status = fields.String(
        load_default=None, validate=validate.OneOf([status.value for status in VerificationStatus])
    )
    project = _filter("Only credentials that are not restricted to other projects, with `eligibility`.")
    registry_host = RegistryHostFilter(load_default=None, metadata=_ANY_HOST)
    name = _filter("A part of the name, in any case.")


class OrderedPageArguments(PageArguments):
    order = fields.String(
        load_default="desc",
        validate=validate.OneOf(["asc", "desc"]),
        metadata={
            "description": "`desc`: newest first. A cursor is valid only for the order that returned it."
        },
    )


class AuditArguments(OrderedPageArguments):
    since = Moment(load_default=None, metadata={"description": "Inclusive."})
    until = Moment(load_default=None, metadata={"description": "Exclusive."})
    action = fields.String(
        load_default=None, validate=validate.OneOf(ACTIONS), metadata={"description": "A type of event."}
    )
    outcome = fields.String(load_default=None, validate=validate.OneOf(["success", "denied", "failure"]))
    actor = _filter("Id of the actor.")
    credential_id = fields.UUID(load_default=None)
    project_id = _filter()
    registry_host = RegistryHostFilter(load_default=None, metadata=_ANY_HOST)
    image = RecordedImageFilter(
        load_default=None,
        metadata={
            "description": "An image with its tag, also if a digest was recorded with it, or with a digest, "
            "or a repository, which finds all its images; "
            "`ghcr.io/*`: requests for a whole registry. In any spelling. The tag `latest` also finds pulls "
            "that were recorded without a tag, such as those of the kubelet."
        },
    )
    request_id = _filter()
    after = fields.Integer(
        load_default=None,
        validate=validate.Range(0, 2**63 - 1),
        metadata={"description": "Only rows after this position of the log."},
    )
    follow = fields.Boolean(
        load_default=False, metadata={"description": "Continue with new rows; NDJSON only."}
    )
    follow_seconds = fields.Integer(
        load_default=DEFAULT_SECONDS,
        validate=validate.Range(1, MAX_SECONDS),
        metadata={"description": "For how long; then repeat the request with `after`."},
    )


class UsageSchema(Schema):
    """A workload that the credential's secret was issued to."""

    project_id = fields.String()
    workload = fields.Nested(WorkloadSchema)
    images = fields.List(fields.String(), metadata={"description": "The latest first, 50 at most."})
    secret_version = fields.Integer(metadata={"description": "The version that was issued last."})
    first_used_at = fields.DateTime()
    last_used_at = fields.DateTime()
    released_at = fields.DateTime(
        allow_none=True, metadata={"description": "When it was released because it is gone; null: it counts."}
    )


class UsagePage(Schema):
    items = fields.List(fields.Nested(UsageSchema))
    next_cursor = fields.String(allow_none=True)


class ActorSchema(Schema):
    type = fields.String(metadata={"enum": ["service", "user", "system"]})
    id = fields.String()
    name = fields.String()


class AuditEventSchema(Schema):
    """An entry of the audit trail."""

    id = fields.UUID()
    position = fields.Integer(metadata={"description": "Position in the log: dense, from 1."})
    time = fields.DateTime()
    action = fields.String()
    outcome = fields.String(metadata={"enum": ["success", "denied", "failure"]})
    reason = fields.String(allow_none=True)
    actor = fields.Nested(ActorSchema)
    on_behalf_of = fields.String(allow_none=True)
    source_ip = fields.String(allow_none=True)
    account_id = fields.String()
    credential_id = fields.UUID(allow_none=True)
    credential_name = fields.String(allow_none=True)
    project_id = fields.String(allow_none=True)
    registry_host = fields.String(allow_none=True)
    image = fields.String(allow_none=True)
    secret_version = fields.Integer(allow_none=True)
    before = fields.Dict(allow_none=True)
    after = fields.Dict(allow_none=True)
    request_id = fields.String()
    correlation_id = fields.String()
    causation_id = fields.String(allow_none=True)
    images = fields.List(
        fields.String(), metadata={"description": "The images; `image` joins several by commas."}
    )


class CredentialWithUsageSchema(CredentialSchema):
    """A credential, and how it is used."""

    last_used_at = fields.DateTime(
        allow_none=True, metadata={"description": "When its secret was last issued."}
    )
    used_by = fields.Integer(
        metadata={"description": "How many workloads its secret was issued to, 100 at most."}
    )
    dead_letters = fields.Integer(
        metadata={
            "description": "Events of this credential that could not be handled. Until an operator retries "
            "them, what is shown, such as the verification, may be out of date."
        }
    )


class EligibilitySchema(Schema):
    eligible = fields.Boolean()
    reason = fields.String(
        allow_none=True,
        metadata={
            "enum": [*IneligibleReason, None],
            "description": "Why it is not eligible for any repository, as in `POST …/resolutions`.",
        },
    )


class ProjectEligibilitySchema(Schema):
    """Whether a project may use a credential, by the rules that decide resolutions and pull secrets."""

    pull = fields.Nested(EligibilitySchema)
    push = fields.Nested(EligibilitySchema)


class ListedCredentialSchema(CredentialWithUsageSchema):
    """A credential in a list, and with a project, whether the project may use it."""

    eligibility = fields.Nested(
        ProjectEligibilitySchema,
        metadata={
            "description": "Only in a list for a project. For the repositories of its prefixes; `GET "
            "…/projects/{project_id}/registries` has the credential of each registry for clients that know "
            "hosts only. An expiry that was found in the secret counts here, and not for pull secrets.",
            **SOMETIMES,
        },
    )


class ExpiringCredentialSchema(Schema):
    id = fields.UUID()
    name = fields.String()
    provider = fields.String()
    registry_host = fields.String()
    expires_at = fields.DateTime()


class SummarySchema(Schema):
    """An account's credentials in numbers."""

    total = fields.Integer()
    by_status = fields.Dict(
        keys=fields.String(), values=fields.Integer(), metadata={"description": "Count for each status."}
    )
    by_provider = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        metadata={"description": "Providers in use, the most frequent first."},
    )
    expired = fields.Integer()
    expiring_soon = fields.Integer(metadata={"description": "Within the next `soon_days`."})
    soon_days = fields.Integer()
    next_to_expire = fields.List(
        fields.Nested(ExpiringCredentialSchema),
        metadata={"description": "The eight that expire next, those already expired first."},
    )


class CredentialPage(Schema):
    items = fields.List(fields.Nested(ListedCredentialSchema))
    next_cursor = fields.String(allow_none=True)


class VerificationPage(Schema):
    items = fields.List(fields.Nested(VerificationSchema))
    next_cursor = fields.String(allow_none=True)


class SealedSchema(Schema):
    """The part of the audit trail that was archived in segments."""

    up_to = fields.Integer(metadata={"description": "Everything up to that position of the log."})
    count = fields.Integer(metadata={"description": "Number of segments that may have requested rows."})
    segments = fields.List(
        fields.String(), metadata={"description": "Their names, the newest first, 20 at most."}
    )


class AuditPage(Schema):
    items = fields.List(fields.Nested(AuditEventSchema))
    next_cursor = fields.String(allow_none=True)
    previous_cursor = fields.String(allow_none=True)
    sealed = fields.Nested(
        SealedSchema,
        allow_none=True,
        metadata={"description": "The requested part that was archived; null: nothing was."},
    )
