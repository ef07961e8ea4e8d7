"""`POST …/credentials/{id}/freeze` and `…/thaw`: stop issuing a secret at once, and issue it again."""

from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import Schema, fields

from chassis.authentication.tokens import TokenScope
from chassis.web.authentication import requires
from chassis.web.blueprint import Blueprint
from chassis.web.described import COMMAND, IF_MATCH, VERSIONED, describes
from credentials.api.commands import command_request, expected_version
from credentials.api.dry_run import DryRunArguments
from credentials.api.impact import ChangedSchema, changed_response
from credentials.application.credentials import Credentials
from credentials.domain import values

Body = dict[str, Any]

_CREDENTIAL = "/v1/accounts/<account_id>/credentials/<uuid:credential_id>"


class FreezeSchema(Schema):
    """Why the secret must be issued to nobody."""

    reason = fields.String(required=True, metadata={"description": "For the audit trail."})


class ThawSchema(Schema):
    """Why the secret can be issued again."""

    reason = fields.String(
        load_default=None, allow_none=True, metadata={"description": "For the audit trail."}
    )


def blueprint(credentials: Credentials) -> Blueprint:
    """Return the routes to freeze and thaw credentials."""
    routes = Blueprint("freezing", __name__, description="Freeze and thaw credentials.")

    @routes.route(f"{_CREDENTIAL}/freeze", methods=["POST"])
    @routes.arguments(FreezeSchema)
    @routes.arguments(DryRunArguments, location="query")
    @routes.response(200, ChangedSchema)
    @requires(TokenScope.CREDENTIALS_WRITE, TokenScope.CREDENTIALS_FREEZE)
    @describes(
        COMMAND,
        VERSIONED,
        problems=["credential_not_found"],
        example={"reason": "the token is in a public log"},
    )
    def freeze_credential(body: Body, arguments: Body, account_id: str, credential_id: UUID) -> Response:
        """Issue its secret to nobody from now on, for an emergency. It needs neither If-Match nor `force`.

        Secrets that were issued before stay valid at the registry: rotate it there, and here.
        """
        request = command_request(account_id, dry_run=arguments["dry_run"])
        return changed_response(
            credentials.freeze(request, credential_id, values.required_reason(body["reason"]))
        )

    @routes.route(f"{_CREDENTIAL}/thaw", methods=["POST"])
    @routes.arguments(ThawSchema)
    @routes.arguments(DryRunArguments, location="query")
    @routes.response(200, ChangedSchema)
    @requires(TokenScope.CREDENTIALS_WRITE)
    @describes(
        COMMAND,
        IF_MATCH,
        VERSIONED,
        problems=["credential_not_found"],
        example={"reason": "the token was replaced"},
    )
    def thaw_credential(body: Body, arguments: Body, account_id: str, credential_id: UUID) -> Response:
        """Issue its secret again."""
        request = command_request(account_id, dry_run=arguments["dry_run"])
        reason = values.reason(body["reason"])
        return changed_response(credentials.thaw(request, credential_id, expected_version(), reason))

    return routes
