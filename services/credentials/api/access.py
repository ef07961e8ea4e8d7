"""`PUT …/restrictions` and `DELETE …/credentials/{id}`: changes by which workloads lose a credential.

Both have a dry run.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import Schema, fields

from chassis.authentication.tokens import TokenScope
from chassis.invalid_input import FieldProblem
from chassis.runtime.clock import rfc3339
from chassis.web.authentication import requires
from chassis.web.blueprint import Blueprint
from chassis.web.problems import invalid
from chassis.web.responses import empty_response, etag, json_response
from contracts.schemas import CredentialSchema, RestrictionsSchema, WorkloadSchema
from credentials.api.commands import command_request, expected_version, respond, result_headers
from credentials.api.dry_run import DryRunArguments
from credentials.application.credentials import Credentials, Impact
from credentials.domain import values
from credentials.domain.commands import MAX_WORKLOADS, WorkloadUsage

Body = dict[str, Any]

MAX_SERVED_BY = 10  # a credential can have fifty prefixes, with another replacement for each

_CREDENTIAL = "/v1/accounts/<account_id>/credentials/<uuid:credential_id>"


class RemoveArguments(DryRunArguments):
    force = fields.Boolean(
        load_default=False, metadata={"description": "Remove it although it is in use. Needs a reason."}
    )
    reason = fields.String(load_default=None, metadata={"description": "For the audit trail."})


class UserSchema(Schema):
    """A workload to which the secret was issued within REGCRED_USE_WINDOW."""

    project_id = fields.String()
    workload = fields.Nested(WorkloadSchema)
    secret_version = fields.Integer()
    last_used_at = fields.DateTime()


class LosingSchema(UserSchema):
    """A workload that would lose it."""

    served_by = fields.List(
        fields.UUID(),
        metadata={
            "description": "The credentials that it would get instead, for every repository that this one "
            f"covers, {MAX_SERVED_BY} at most. Empty: it would get none."
        },
    )


class ImpactSchema(Schema):
    """The effect of a change that was not made (dry run)."""

    dry_run = fields.Boolean()
    users = fields.List(
        fields.Nested(LosingSchema),
        metadata={"description": "The workloads that would lose the credential, most recent use first."},
    )
    more_users = fields.Boolean(
        metadata={
            "description": f"Whether more than {MAX_WORKLOADS} workloads use it. The latest are listed."
        }
    )
    needs_force = fields.Boolean(metadata={"description": "Whether the change is refused without `force`."})


def blueprint(credentials: Credentials) -> Blueprint:
    """Return the routes to restrict and remove credentials."""
    routes = Blueprint("access", __name__, description="Restrict and remove credentials.")

    @routes.route(f"{_CREDENTIAL}/restrictions", methods=["PUT"])
    @routes.arguments(RestrictionsSchema)
    @routes.arguments(DryRunArguments, location="query")
    @routes.response(200, CredentialSchema)
    @requires(TokenScope.CREDENTIALS_WRITE)
    def restrict_credential(body: Body, arguments: Body, account_id: str, credential_id: UUID) -> Response:
        """Set which projects may use it: all, some or none. A dry run has the response of a removal."""
        restrictions = values.restrictions(**body, pointer="")
        request = command_request(account_id)
        if arguments["dry_run"]:
            impact = credentials.impact(request, credential_id, expected_version(), restrictions)
            return _dry_run(impact, needs_force=False)
        return respond(credentials.restrict(request, credential_id, expected_version(), restrictions))

    @routes.route(_CREDENTIAL, methods=["DELETE"])
    @routes.arguments(RemoveArguments, location="query")
    @routes.response(204)
    @routes.alt_response(200, schema=ImpactSchema, description="A dry run.")
    @requires(TokenScope.CREDENTIALS_WRITE)
    def remove_credential(arguments: Body, account_id: str, credential_id: UUID) -> Response:
        """Remove it permanently and destroy its secret. While workloads use it, this needs `force`."""
        request = command_request(account_id)
        reason = values.reason(arguments["reason"])
        if arguments["dry_run"]:
            impact = credentials.impact(request, credential_id, expected_version(), None)
            return _dry_run(impact, needs_force=bool(impact.usages))
        if arguments["force"] and reason is None:
            raise invalid(
                [
                    FieldProblem(
                        "/reason", "required", "give the reason for removing a credential that is in use"
                    )
                ]
            )
        result = credentials.remove(
            request, credential_id, expected_version(), reason=reason, forced=arguments["force"]
        )
        return empty_response(result_headers(result))

    return routes


def _dry_run(impact: Impact, *, needs_force: bool) -> Response:
    """Return 200 with the workloads that would lose it, and the ETag of the unchanged credential."""
    users = [
        {
            **user,
            "served_by": [str(other) for other in impact.served_by[user["project_id"]][:MAX_SERVED_BY]],
        }
        for user in usages_json(impact.usages)
    ]
    body = {
        "dry_run": True,
        "users": users,
        "more_users": impact.more_usages,
        "needs_force": needs_force,
    }
    return json_response(body, headers={"ETag": etag(impact.version)})


def usages_json(usages: Iterable[WorkloadUsage]) -> list[dict[str, Any]]:
    return [
        {
            "project_id": usage.project_id,
            "workload": {"kind": usage.workload.kind, "name": usage.workload.name},
            "secret_version": usage.secret_version,
            "last_used_at": rfc3339(usage.last_used_at),
        }
        for usage in usages
    ]
