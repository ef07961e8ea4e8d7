"""Who uses a credential, and would lose it, as it is answered."""

from collections.abc import Iterable
from typing import Any

from flask import Response
from marshmallow import Schema, fields

from credentials.application.credentials import Impact
from credentials.domain.commands import User
from shared.runtime.clock import rfc3339
from shared.web.conditional import etag
from shared.web.responses import json_response
from shared.web.schemas import WorkloadSchema


class UserSchema(Schema):
    """A workload that was given the secret, not longer ago than the operator says (REGCRED_USE_WINDOW)."""

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
            "covers. Empty: it would get none."
        },
    )


class ImpactSchema(Schema):
    """What would come of a change, had it not been a dry run."""

    dry_run = fields.Boolean()
    users = fields.List(
        fields.Nested(LosingSchema),
        metadata={"description": "The workloads that would lose the credential, most recent use first."},
    )
    needs_force = fields.Boolean(metadata={"description": "Whether the change is refused without `force`."})


def dry_run(impact: Impact, *, needs_force: bool) -> Response:
    """200 with who would lose it; the ETag is of the credential as it is."""
    users = [
        {**user, "served_by": [str(other) for other in impact.served_by[user["project_id"]]]}
        for user in users_json(impact.users)
    ]
    body = {"dry_run": True, "users": users, "needs_force": needs_force}
    return json_response(body, headers={"ETag": etag(impact.version)})


def users_json(users: Iterable[User]) -> list[dict[str, Any]]:
    return [
        {
            "project_id": user.project_id,
            "workload": {"kind": user.workload.kind, "name": user.workload.name},
            "secret_version": user.secret_version,
            "last_used_at": rfc3339(user.last_used_at),
        }
        for user in users
    ]
