"""`POST …/imports`: store each login of a Docker configuration as a credential."""

from typing import Any

from flask import Response
from marshmallow import Schema, fields

from chassis.authentication.tokens import TokenScope
from chassis.invalid_input import FieldProblem
from chassis.web import deprecation
from chassis.web.authentication import requires
from chassis.web.blueprint import Blueprint
from chassis.web.described import COMMAND, IDEMPOTENT, describes
from chassis.web.problems import invalid
from chassis.web.responses import json_response, position_token
from contracts.schemas import RestrictionsSchema, ScopeSchema
from credentials.api.commands import RequestFingerprint, command_request, meaning
from credentials.application.imports import Import, Importer, ImportResult
from credentials.domain import values
from credentials.domain.imported_names import name_prefix
from registries.input.docker_config import ConfigFile, read_config_file
from registries.input.new_secret import JsonDocument

Body = dict[str, Any]

MAX_LEFT_OUT = 100

_STATUS_HELP = (
    "`created`; `duplicate`: the account already has a credential for the same registry, username and "
    "repositories; `unsupported`: the entry has no secret; `invalid`: its secret cannot be used; `failed`: "
    "it could not be stored now, repeat the import."
)


class ImportInput(Schema):
    """A Docker `config.json`, `.dockercfg`, or one or several Kubernetes Secrets, of 100 entries at most.

    Secrets are a manifest, a List, or several documents, in JSON or YAML as kubectl prints them.
    """

    docker_config = JsonDocument(required=True, metadata={"type": ["object", "string"]})
    scope = fields.Nested(ScopeSchema, load_default=lambda: {"pull": True, "push": False})
    restrictions = fields.Nested(
        RestrictionsSchema, load_default=lambda: {"restricted": False, "projects": []}
    )
    name_prefix = fields.String(
        load_default="",
        metadata={"description": "Prefix of the names, which follow from the hosts.", "example": "ci"},
    )
    dry_run = fields.Boolean(
        load_default=None,
        metadata={"description": "Use `dry_run` of the query instead.", "deprecated": True},
    )


class ImportArguments(Schema):
    dry_run = fields.Boolean(
        load_default=None, metadata={"description": "Show the result without storing anything."}
    )


class ImportResultSchema(Schema):
    """The result of one entry."""

    key = fields.String(metadata={"description": "The key in the file; `entry N` if it names no registry."})
    registry_host = fields.String(allow_none=True)
    status = fields.String(
        metadata={
            "enum": ["created", "duplicate", "unsupported", "invalid", "failed"],
            "description": _STATUS_HELP,
        }
    )
    credential_id = fields.UUID(allow_none=True)
    name = fields.String(allow_none=True)
    reason = fields.String(allow_none=True)


class LeftOutSchema(Schema):
    """An object of a List, or a document, without a Docker configuration."""

    name = fields.String(metadata={"description": "`namespace/name`; `object N` if it has no valid name."})
    reason = fields.String()


class ImportResponse(Schema):
    """One result for each entry, in their order."""

    items = fields.List(fields.Nested(ImportResultSchema))
    left_out = fields.List(
        fields.Nested(LeftOutSchema),
        metadata={"description": f"Of several Secrets, those of other types, {MAX_LEFT_OUT} at most."},
    )
    more_left_out = fields.Integer(metadata={"description": "How many others were left out."})
    dry_run = fields.Boolean()


def blueprint(importer: Importer, *, request_fingerprint: RequestFingerprint) -> Blueprint:
    """Return the route of imports."""
    routes = Blueprint("imports", __name__, description="Import the logins of a Docker configuration.")

    @routes.route("/v1/accounts/<account_id>/imports", methods=["POST"])
    @routes.arguments(ImportInput)
    @routes.arguments(ImportArguments, location="query")
    @routes.response(200, ImportResponse)
    @requires(TokenScope.CREDENTIALS_WRITE)
    @describes(
        COMMAND,
        IDEMPOTENT,
        sends=["Deprecation", "Sunset"],
        sends_refused=["Deprecation", "Sunset"],
        example={
            "docker_config": {"auths": {"ghcr.io": {"auth": "b2N0bzpnaHBfZXhhbXBsZQ=="}}},
            "name_prefix": "ci",
        },
    )
    def import_credentials(body: Body, arguments: Body, account_id: str) -> Response:
        """Import every login of a Docker configuration.

        Each entry becomes a credential, completely or not at all. 503 means that none was stored. If the
        secret store or the database becomes unavailable later, the remaining entries are `failed`. An import
        can be repeated: a stored entry is then a `duplicate`, or `created` as before under the same
        Idempotency-Key.
        """
        file, wanted = _wanted(body, dry_run=_is_dry_run(body["dry_run"], arguments["dry_run"]))
        named = meaning(ImportInput, {**body, "dry_run": None})  # under a key nothing is a dry run
        results = importer.run(command_request(account_id, request_fingerprint, named), wanted)
        headers = {}
        for result in results:
            if result.credential_id is not None and result.version is not None:
                headers["Regcred-Position"] = position_token(result.credential_id, result.version)
        body = {
            "items": [_item(each) for each in results],
            "left_out": [{"name": each.name, "reason": each.reason} for each in file.left_out[:MAX_LEFT_OUT]],
            "more_left_out": len(file.left_out[MAX_LEFT_OUT:]),
            "dry_run": wanted.dry_run,
        }
        return json_response(body, 200, headers)

    return routes


def _is_dry_run(of_body: bool | None, of_query: bool | None) -> bool:
    """Whether nothing is stored. Raises `Problem` if body and query contradict each other."""
    if of_body is not None:
        deprecation.used("ImportInput.dry_run")
    if of_body is not None and of_query is not None and of_body is not of_query:
        detail = "dry_run of the query and of the body contradict each other"
        raise invalid([FieldProblem("/dry_run", "contradiction", detail)])
    return bool(of_body or of_query)


def _wanted(body: Body, *, dry_run: bool) -> tuple[ConfigFile, Import]:
    """Parse the body. Raises `InvalidInput` with every problem."""
    parsed = values.parse_all(
        file=lambda: read_config_file(body["docker_config"], pointer="/docker_config"),
        scope=lambda: values.scope(**body["scope"]),
        restrictions=lambda: values.restrictions(**body["restrictions"]),
        name_prefix=lambda: name_prefix(body["name_prefix"]),
    )
    file: ConfigFile = parsed.pop("file")
    return file, Import(entries=file.entries, dry_run=dry_run, **parsed)


def _item(result: ImportResult) -> Body:
    return {
        "key": result.key,
        "registry_host": result.registry_host,
        "status": result.status,
        "credential_id": result.credential_id,
        "name": result.name,
        "reason": result.reason,
    }
