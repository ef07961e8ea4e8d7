"""The routes by which workloads lose a credential: restrictions and removal, both with a dry run."""

from typing import Any
from uuid import UUID

from flask import Response

from credentials.api import inputs
from credentials.api.answering import respond
from credentials.api.command_request import command_request
from credentials.api.impact import ImpactSchema, dry_run
from credentials.api.schemas import DryRunArguments, RemoveArguments
from credentials.application.credentials import Credentials
from credentials.domain import values
from shared.auth.tokens import TokenScope
from shared.web.blueprint import Blueprint
from shared.web.conditional import expected_version
from shared.web.door import requires
from shared.web.problems import FieldError, invalid
from shared.web.responses import command_headers, empty_response
from shared.web.schemas import CredentialSchema, RestrictionsSchema

Body = dict[str, Any]

_CREDENTIAL = "/v1/accounts/<account_id>/credentials/<uuid:credential_id>"


def blueprint(credentials: Credentials) -> Blueprint:
    """Restrict and remove."""
    routes = Blueprint("access", __name__, description="Who may use a credential, and its end.")

    @routes.route(f"{_CREDENTIAL}/restrictions", methods=["PUT"])
    @routes.arguments(RestrictionsSchema)
    @routes.arguments(DryRunArguments, location="query")
    @routes.response(200, CredentialSchema)
    @requires(TokenScope.CREDENTIALS_WRITE)
    def restrict_credential(body: Body, arguments: Body, account_id: str, credential_id: UUID) -> Response:
        """Say which projects may use it: all, some, or nobody. A dry run is answered as that of a removal."""
        restrictions = inputs.restricted(body)
        asked = command_request(account_id)
        if arguments["dry_run"]:
            impact = credentials.impact(asked, credential_id, expected_version(), restrictions)
            return dry_run(impact, needs_force=False)
        return respond(credentials.restrict(asked, credential_id, expected_version(), restrictions))

    @routes.route(_CREDENTIAL, methods=["DELETE"])
    @routes.arguments(RemoveArguments, location="query")
    @routes.response(204)
    @routes.alt_response(200, schema=ImpactSchema, description="A dry run.")
    @requires(TokenScope.CREDENTIALS_WRITE)
    def remove_credential(arguments: Body, account_id: str, credential_id: UUID) -> Response:
        """Remove it for ever; its secret is destroyed. While workloads use it, it has to be forced."""
        asked = command_request(account_id)
        reason = values.reason(arguments["reason"])
        if arguments["dry_run"]:
            impact = credentials.impact(asked, credential_id, expected_version(), None)
            return dry_run(impact, needs_force=bool(impact.users))
        if arguments["force"] and reason is None:
            raise invalid([FieldError("/reason", "required", "say why it is removed although it is in use")])
        answer = credentials.remove(
            asked, credential_id, expected_version(), reason=reason, forced=arguments["force"]
        )
        return empty_response(command_headers(answer.credential_id, answer.version))

    return routes
