"""`PUT …/restrictions` and `DELETE …/credentials/{id}`: changes by which workloads lose a credential."""

from typing import Any
from uuid import UUID

from flask import Response

from chassis.authentication.tokens import TokenScope
from chassis.web.authentication import requires
from chassis.web.blueprint import Blueprint
from chassis.web.described import COMMAND, IF_MATCH, VERSIONED, describes
from chassis.web.responses import empty_response
from contracts.schemas import RestrictionsSchema
from credentials.api.commands import command_request, expected_version, result_headers
from credentials.api.impact import (
    ChangedSchema,
    ForceArguments,
    ImpactSchema,
    changed_response,
    force_reason,
    impact_response,
)
from credentials.application.credentials import Credentials
from credentials.domain import values

Body = dict[str, Any]

_CREDENTIAL = "/v1/accounts/<account_id>/credentials/<uuid:credential_id>"


def blueprint(credentials: Credentials) -> Blueprint:
    """Return the routes to restrict and remove credentials."""
    routes = Blueprint("access", __name__, description="Restrict and remove credentials.")

    @routes.route(f"{_CREDENTIAL}/restrictions", methods=["PUT"])
    @routes.arguments(RestrictionsSchema)
    @routes.arguments(ForceArguments, location="query")
    @routes.response(200, ChangedSchema)
    @requires(TokenScope.CREDENTIALS_WRITE)
    @describes(
        COMMAND,
        IF_MATCH,
        VERSIONED,
        problems=["credential_not_found", "credential_in_use"],
        example={"restricted": True, "projects": ["shop"]},
    )
    def restrict_credential(body: Body, arguments: Body, account_id: str, credential_id: UUID) -> Response:
        """Set which projects may use it: all, some or none.

        While workloads of projects that lose it use it, this needs `force`.
        """
        restrictions = values.restrictions(**body, pointer="")
        request = command_request(
            account_id, dry_run=arguments["dry_run"], force_reason=force_reason(arguments)
        )
        return changed_response(
            credentials.restrict(request, credential_id, expected_version(), restrictions)
        )

    @routes.route(_CREDENTIAL, methods=["DELETE"])
    @routes.arguments(ForceArguments, location="query")
    @routes.response(204)
    @routes.alt_response(200, schema=ImpactSchema, description="A dry run.")
    @requires(TokenScope.CREDENTIALS_WRITE)
    @describes(COMMAND, IF_MATCH, VERSIONED, problems=["credential_not_found", "credential_in_use"])
    def remove_credential(arguments: Body, account_id: str, credential_id: UUID) -> Response:
        """Remove it permanently and destroy its secret. While workloads use it, this needs `force`."""
        request = command_request(account_id)
        forced = force_reason(arguments) is not None
        if arguments["dry_run"]:
            return impact_response(credentials.removal(request, credential_id, expected_version()))
        reason = values.reason(arguments["reason"])
        result = credentials.remove(request, credential_id, expected_version(), reason=reason, forced=forced)
        return empty_response(result_headers(result))

    return routes
