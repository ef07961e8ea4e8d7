"""The effect of a change in responses, and `force` in the query of a change that takes access away."""

from collections.abc import Iterable
from typing import Any

from flask import Response
from marshmallow import Schema, fields

from chassis.invalid_input import FieldProblem
from chassis.runtime.clock import rfc3339
from chassis.web.openapi import SOMETIMES
from chassis.web.problems import invalid
from chassis.web.responses import etag, json_response
from contracts.schemas import CredentialSchema, WorkloadSchema
from credentials.api.commands import respond
from credentials.api.dry_run import DryRunArguments, DryRunMark, would_be
from credentials.application.access import Impact
from credentials.application.command_handler import CommandResult
from credentials.domain import values
from credentials.domain.commands import MAX_WORKLOADS, WorkloadUsage

MAX_SERVED_BY = 10  # a credential can have fifty prefixes, with another replacement for each


class ForceArguments(DryRunArguments):
    """The query of a change by which workloads can lose a credential."""

    force = fields.Boolean(
        load_default=False,
        metadata={"description": "Do it although workloads lose the credential. Needs a reason."},
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
        metadata={"description": f"Whether more than {MAX_WORKLOADS} would lose it. The latest are listed."}
    )
    needs_force = fields.Boolean(metadata={"description": "Whether the change is refused without `force`."})


class ChangedSchema(CredentialSchema, DryRunMark):
    """A credential as a change left it. A dry run also has the workloads that would lose it."""

    users = fields.List(
        fields.Nested(LosingSchema),
        metadata={"description": "Only in a dry run, as that of a removal.", **SOMETIMES},
    )
    more_users = fields.Boolean(metadata=SOMETIMES)
    needs_force = fields.Boolean(metadata=SOMETIMES)


def force_reason(arguments: dict[str, Any]) -> str | None:
    """Return the reason of a forced change; `None` if it is not forced.

    Raises:
        InvalidInput, Problem: the reason is invalid, or `force` has none. A dry run needs none.
    """
    reason = values.reason(arguments["reason"])
    if arguments["force"] and reason is None and not arguments["dry_run"]:
        detail = "give the reason for taking the credential from workloads that use it"
        raise invalid([FieldProblem("/reason", "required", detail)])
    return reason if arguments["force"] else None


def impact_json(impact: Impact) -> dict[str, Any]:
    """Return the response to a dry run: the workloads that would lose it."""
    users = [
        {
            **user,
            "served_by": [str(other) for other in impact.served_by[user["project_id"]][:MAX_SERVED_BY]],
        }
        for user in usages_json(impact.usages)
    ]
    return {
        "dry_run": True,
        "users": users,
        "more_users": impact.more_usages,
        "needs_force": impact.needs_force,
    }


def changed(result: CommandResult) -> Response:
    """Return the credential, and of a dry run (`impact`) also the workloads that would lose it."""
    if result.impact is None:
        return respond(result)
    return would_be({**result.body, **impact_json(result.impact)}, is_new=False)


def impact_response(impact: Impact) -> Response:
    """Return 200 with the workloads that would lose it, and the ETag of the unchanged credential."""
    return json_response(impact_json(impact), headers={"ETag": etag(impact.version)})


def changed_response(result: CommandResult) -> Response:
    """Return the credential, and of a dry run (`impact`) also the workloads that would lose it."""
    if result.impact is None:
        return respond(result)
    return would_be({**result.body, **impact_json(result.impact)}, is_new=False)


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
