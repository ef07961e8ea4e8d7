"""`dry_run=true` in the query of a command: the response says what it would do, and nothing is changed."""

from typing import Any

from flask import Response
from marshmallow import Schema, fields

from chassis.web.openapi import SOMETIMES
from chassis.web.responses import json_response
from contracts.schemas import CredentialSchema, VerificationSchema


class DryRunArguments(Schema):
    dry_run = fields.Boolean(
        load_default=False,
        metadata={"description": "Respond with what the command would do. Nothing is changed or recorded."},
    )


class DryRunMark(Schema):
    """Marks the response to a dry run."""

    dry_run = fields.Boolean(
        metadata={"description": "`true`, only in the response to a dry run.", **SOMETIMES}
    )


class WouldBeAddedSchema(CredentialSchema, DryRunMark):
    """A credential as it would be added."""

    id = fields.UUID(allow_none=True, metadata={"description": "null: it would get one."})


class RequestedVerificationSchema(VerificationSchema, DryRunMark):
    """The verification that was requested, or would be requested (dry run)."""

    id = fields.UUID(allow_none=True, metadata={"description": "null in a dry run."})


def would_be(body: dict[str, Any], *, is_new: bool) -> Response:
    """Return 200 with the result that a command would have. What it would create has no id."""
    identity = {"id": None} if is_new else {}
    return json_response({**body, **identity, "dry_run": True})
