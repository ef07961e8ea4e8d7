"""`GET …/projects/{id}/registries`: the registries for which a client that knows hosts only gets a login."""

from typing import Any, get_args

from flask import Response
from marshmallow import Schema, fields, validate

from chassis.authentication.tokens import TokenScope
from chassis.runtime.clock import now
from chassis.web.authentication import requires
from chassis.web.blueprint import Blueprint
from chassis.web.described import describes
from chassis.web.responses import json_response
from contracts.issuance_events import Operation
from credentials.api.credential_choice import CredentialChoice, choice_of
from credentials.application.chosen_credential import chosen_credential
from credentials.application.project_registries import project_registries
from credentials.application.store import CredentialStore
from registries.matching import RequestedUse, SelectionReason

MAX_LIMIT = 200


class RegistryArguments(CredentialChoice):
    operation = fields.String(load_default="pull", validate=validate.OneOf(get_args(Operation)))
    limit = fields.Integer(load_default=50, validate=validate.Range(1, MAX_LIMIT))
    cursor = fields.String(
        load_default="",
        validate=[
            validate.Length(max=1000),
            validate.ContainsNoneOf("\0", error="Must not contain a NUL character."),
        ],
    )


class ProjectRegistrySchema(Schema):
    """A registry, and the credential that a pull secret for the whole registry has."""

    registry_host = fields.String(metadata={"example": "ghcr.io"})
    credential_id = fields.UUID()
    name = fields.String()
    username = fields.String(
        metadata={"description": "As stored. A login that is created from cloud keys has another one."}
    )
    reason = fields.String(
        metadata={
            "enum": list(SelectionReason),
            "description": "`chosen`, or the rule by which it ranks before the next candidate.",
        }
    )


class ProjectRegistryPage(Schema):
    items = fields.List(
        fields.Nested(ProjectRegistrySchema),
        metadata={"description": "Ordered by host. A page can have fewer items than its limit."},
    )
    next_cursor = fields.String(allow_none=True)


def blueprint(store: CredentialStore) -> Blueprint:
    """`GET …/projects/{id}/registries`, decided on the current state of the credentials."""
    routes = Blueprint(
        "registries of projects", __name__, description="The registries that a project pulls from."
    )

    @routes.route("/v1/accounts/<account_id>/projects/<project_id>/registries")
    @routes.arguments(RegistryArguments, location="query")
    @routes.response(200, ProjectRegistryPage)
    @requires(TokenScope.CREDENTIALS_READ, TokenScope.SECRETS_ISSUE, TokenScope.SECRETS_ISSUE_PUSH)
    @describes(problems=["credential_not_found", "credential_state_damaged"])
    def list_project_registries(arguments: dict[str, Any], account_id: str, project_id: str) -> Response:
        """List the registries for which a project gets a login by `registry_host`.

        A registry is listed if a pull secret with this `registry_host` is issued, with its credential.
        """
        chosen = chosen_credential(store, account_id, choice_of(arguments))
        use = RequestedUse(project_id=project_id, operation=arguments["operation"], at=now(), chosen=chosen)
        found = project_registries(
            store, account_id, use, after=arguments["cursor"], limit=arguments["limit"]
        )
        items = [
            {
                "registry_host": one.registry_host,
                "credential_id": one.selection.candidate.credential_id,
                "name": one.selection.candidate.name,
                "username": one.username,
                "reason": one.selection.reason,
            }
            for one in found.registries
        ]
        return json_response({"items": items, "next_cursor": found.next_host})

    return routes
