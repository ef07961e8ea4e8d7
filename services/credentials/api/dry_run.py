"""`dry_run=true` in the query of a command: the response says what it would do, and nothing is changed."""

from typing import Any

from flask import Response
from marshmallow import Schema, fields

from chassis.web.responses import json_response
from contracts.schemas import CredentialSchema, VerificationSchema


class DryRunArguments(Schema):
    dry_run = fields.Boolean(
        load_default=False,
        metadata={"description": "Respond with what the command would do. Nothing is changed or recorded."},
    )


class _DryRunMark(Schema):
    dry_run = fields.Boolean(metadata={"description": "`true`, only in the response to a dry run."})


class AddedSchema(CredentialSchema, _DryRunMark):
    """A credential as a command left it, or would leave it. A dry run of an addition has no `id`."""


class RequestedVerificationSchema(VerificationSchema, _DryRunMark):
    """A verification that was requested. A dry run has no `id`."""


def would_be(body: dict[str, Any], *, is_new: bool) -> Response:
    """Return 200 with the result that a command would have. What it would create has no id."""
    identity = {"id": None} if is_new else {}
    return json_response({**body, **identity, "dry_run": True})
