"""`POST …/workload-releases`: a deploy platform says that a workload or a project is gone."""

from typing import Any

from flask import Response
from marshmallow import Schema, fields

from chassis.authentication.tokens import TokenScope
from chassis.invalid_input import FieldProblem, InvalidInput
from chassis.runtime.clock import rfc3339
from chassis.web.authentication import authorise_project, requires
from chassis.web.blueprint import Blueprint
from chassis.web.described import COMMAND, IDEMPOTENT, describes
from chassis.web.responses import json_response, position_token
from contracts.issuance_events import Workload
from contracts.schemas import WorkloadSchema
from credentials.api.commands import RequestFingerprint, command_request, meaning
from credentials.api.dry_run import DryRunArguments, DryRunMark
from credentials.api.requested_workload import requested_workload
from credentials.application.releases import MAX_RELEASED, Gone, Releases
from credentials.application.store import CredentialUsage
from credentials.domain import values

Body = dict[str, Any]


class ReleaseInput(Schema):
    """What is gone: a workload of a project, or the whole project."""

    project_id = fields.String(required=True, metadata={"example": "shop"})
    workload = fields.Nested(
        WorkloadSchema, load_default=None, allow_none=True, metadata={"description": "The kind in any case."}
    )
    whole_project = fields.Boolean(
        load_default=False, metadata={"description": "In place of `workload`: all workloads of the project."}
    )
    reason = fields.String(
        load_default=None, allow_none=True, metadata={"description": "For the audit trail."}
    )


class ReleasedUsageSchema(Schema):
    """A workload that no longer counts as a user of a credential."""

    credential_id = fields.UUID()
    workload = fields.Nested(WorkloadSchema)
    secret_version = fields.Integer()
    last_used_at = fields.DateTime()


class ReleaseSchema(DryRunMark):
    """The usages that were released."""

    project_id = fields.String()
    released = fields.List(
        fields.Nested(ReleasedUsageSchema),
        metadata={"description": "Most recent use first. Empty: it used no credential that exists."},
    )
    more_released = fields.Boolean(
        metadata={
            "description": f"More than {MAX_RELEASED} usages are to be released. Repeat the request, without "
            "its Idempotency-Key."
        }
    )


def blueprint(releases: Releases, *, request_fingerprint: RequestFingerprint) -> Blueprint:
    """Return the route of releases. `request_fingerprint` hashes requests with an Idempotency-Key."""
    routes = Blueprint("workload releases", __name__, description="Workloads and projects that are gone.")

    @routes.route("/v1/accounts/<account_id>/workload-releases", methods=["POST"])
    @routes.arguments(ReleaseInput)
    @routes.arguments(DryRunArguments, location="query")
    @routes.response(200, ReleaseSchema)
    @requires(TokenScope.SECRETS_ISSUE, TokenScope.CREDENTIALS_WRITE, project_in_body=True)
    @describes(
        COMMAND,
        IDEMPOTENT,
        example={"project_id": "shop", "workload": {"kind": "deployment", "name": "storefront"}},
    )
    def release_workload(body: Body, arguments: Body, account_id: str) -> Response:
        """Say that a workload or a whole project is gone. It then prevents no change of a credential.

        It no longer counts as a user in the checks of changes that take access away. A later pull secret
        counts again. Secrets that were issued stay valid at the registry.
        """
        authorise_project(body["project_id"])
        gone = _gone(body)
        request = command_request(account_id, request_fingerprint, meaning(ReleaseInput, body), **arguments)

        def to_body(released: tuple[CredentialUsage, ...], more: bool) -> Body:
            return {
                "project_id": gone.project_id,
                "released": [_released(one) for one in released],
                "more_released": more,
            }

        release = releases.release(request, gone, to_body)
        headers = {"Idempotency-Replayed": "true"} if release.replayed else {}
        if release.release_id is not None:
            headers["Regcred-Position"] = position_token(release.release_id, release.version)
        mark = {"dry_run": True} if request.dry_run else {}
        return json_response({**release.body, **mark}, 200, headers)

    return routes


def _gone(body: Body) -> Gone:
    """Parse the body. Raises `InvalidInput` with every problem."""
    problems: list[FieldProblem] = []
    workload: Workload | None = None
    try:
        values.project_id(body["project_id"])
    except InvalidInput as error:
        problems.extend(error.problems)
    if body["workload"] is not None:
        workload, wrong = requested_workload(body["workload"])
        problems.extend(wrong)
    if (workload is None) != body["whole_project"]:
        detail = "name a workload, or set whole_project if all workloads of the project are gone"
        problems.append(FieldProblem("/workload", "one_of", detail))
    values.raise_all(problems)
    reason = None if body["reason"] is None else values.required_reason(body["reason"])
    return Gone(project_id=body["project_id"], workload=workload, reason=reason)


def _released(one: CredentialUsage) -> Body:
    usage = one.usage
    return {
        "credential_id": str(one.credential_id),
        "workload": {"kind": usage.workload.kind, "name": usage.workload.name},
        "secret_version": usage.secret_version,
        "last_used_at": rfc3339(usage.last_used_at),
    }
