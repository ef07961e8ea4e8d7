"""Service tokens over HTTP, for administrators (ADR 6). A caller manages only what its own rights include."""

from dataclasses import asdict
from typing import Any

from flask import Response
from marshmallow import Schema, ValidationError, fields, validate

from chassis.authentication.token_table import PostgresTokens, UnknownToken
from chassis.authentication.tokens import StoredToken, TokenScope
from chassis.bounded_list import BoundedList
from chassis.ids import is_platform_id
from chassis.invalid_input import FieldProblem
from chassis.web.authentication import principal, record_refusal, requires
from chassis.web.blueprint import Blueprint
from chassis.web.described import COMMAND, IDEMPOTENT, PAGES, describes
from chassis.web.limits import admit_token
from chassis.web.moment import Moment
from chassis.web.problems import Problem, invalid
from chassis.web.responses import empty_response, json_response
from contracts.service_token_events import INSTALLATION
from credentials.api.commands import command_request, idempotency_key
from credentials.api.dry_run import DryRunArguments, DryRunMark, would_be
from credentials.application.service_tokens import (
    BeyondOwnRights,
    ExpiryRefused,
    RequestedToken,
    RevokedMeanwhile,
    ServiceTokens,
)
from credentials.postgres_tokens import LastAdministrator

Body = dict[str, Any]
_MAX_LIMIT = 200
_MOST_IDS = 1000  # accounts or projects of a token


def _printable(text: str) -> None:
    if not text.isprintable() or not text.strip():
        raise ValidationError("Must be printable text, without control characters.")


def _platform_id(text: str) -> None:
    if not is_platform_id(text):
        raise ValidationError("Must be 1 to 63 letters, digits and hyphens, the first no hyphen.")


def _ids() -> BoundedList:
    return BoundedList(
        fields.String(validate=_platform_id), most=_MOST_IDS, load_default=None, allow_none=True
    )


class TokenInput(Schema):
    """A service token to create."""

    name = fields.String(required=True, validate=[validate.Length(1, 100), _printable])
    scopes = BoundedList(
        fields.String(validate=validate.OneOf([scope.value for scope in TokenScope])),
        least=1,
        most=2 * len(TokenScope),
        required=True,
    )
    accounts = _ids()
    projects = _ids()
    expires_at = Moment(load_default=None, allow_none=True)


class TokenSchema(Schema):
    """A service token. Only the response that creates it contains the token itself."""

    id = fields.String()
    name = fields.String()
    scopes = fields.List(fields.String())
    accounts = fields.List(fields.String(), allow_none=True)
    projects = fields.List(fields.String(), allow_none=True)
    created_at = fields.DateTime()
    created_by = fields.String()
    expires_at = fields.DateTime(allow_none=True)
    revoked_at = fields.DateTime(allow_none=True)


class NewTokenSchema(TokenSchema):
    """A token that was created."""

    token = fields.String(metadata={"description": "The token itself. It cannot be read again."})


class WouldBeTokenSchema(TokenSchema, DryRunMark):
    """A token as it would be created or revoked."""

    id = fields.String(allow_none=True, metadata={"description": "null: it would get one."})


class TokenArguments(Schema):
    limit = fields.Integer(load_default=50, validate=validate.Range(1, _MAX_LIMIT))
    cursor = fields.String(load_default=None, validate=validate.Regexp(r"^[A-Za-z0-9_-]{1,64}$"))


class TokenPage(Schema):
    items = fields.List(fields.Nested(TokenSchema))
    next_cursor = fields.String(allow_none=True)


def blueprint(tokens: PostgresTokens, commands: ServiceTokens) -> Blueprint:
    """Return the routes to create, list and revoke tokens. They need the scope `admin`."""
    routes = Blueprint("service tokens", __name__, description="Tokens of callers.")

    _add_creation(routes, commands)
    _add_revocation(routes, commands)

    @routes.route("/v1/service-tokens")
    @routes.arguments(TokenArguments, location="query")
    @routes.response(200, TokenPage)
    @requires(TokenScope.ADMIN, limits_itself=True)
    @describes(PAGES)
    def list_tokens(arguments: Body) -> Response:
        """List the tokens for accounts and projects of the caller, newest first, including revoked ones."""
        limit = arguments["limit"]
        try:
            found = tokens.page(principal(), limit=limit + 1, after=arguments["cursor"])
        except UnknownToken:
            raise Problem(400, "invalid_cursor", "the cursor is not from a page of this list") from None
        items = [_view(token) for token in found[:limit]]
        return json_response({"items": items, "next_cursor": items[-1]["id"] if len(found) > limit else None})

    return routes


def _add_creation(routes: Blueprint, commands: ServiceTokens) -> None:
    @routes.route("/v1/service-tokens", methods=["POST"])
    @routes.arguments(TokenInput)
    @routes.arguments(DryRunArguments, location="query")
    @routes.response(201, NewTokenSchema)
    @routes.alt_response(200, schema=WouldBeTokenSchema, description="A dry run, without a token.")
    @requires(TokenScope.ADMIN, limits_itself=True)
    @describes(
        COMMAND,
        IDEMPOTENT,
        problems=["exceeds_own_rights", "token_revoked", "tokens_limited"],
        example={"name": "deployer", "scopes": ["secrets:issue"], "accounts": ["acme"], "projects": ["shop"]},
    )
    def create_token(body: Body, arguments: Body) -> Response:
        """Create a token. Only this response and repetitions under the same Idempotency-Key contain it.

        It is not stored. Under a key it is derived from the key and a secret of the installation. It can have
        no right that the caller does not have, and expires no later than the caller.
        """
        dry_run = arguments["dry_run"]
        key = None if dry_run else idempotency_key()
        metadata = command_request(INSTALLATION).metadata()
        try:
            created = commands.create(
                principal(), _requested(body), key, metadata, admit=admit_token, dry_run=dry_run
            )
        except BeyondOwnRights as error:
            record_refusal("exceeds_own_rights")
            rule = "a token can have no right that its creator does not have, and not outlive it"
            detail = f"{', '.join(error.fields)}: {rule}"
            raise Problem(403, "exceeds_own_rights", detail) from None
        except ExpiryRefused as refused:
            raise invalid([FieldProblem("/expires_at", refused.code, str(refused))]) from None
        except RevokedMeanwhile:
            detail = "the token that was created under this Idempotency-Key is revoked"
            raise Problem(409, "token_revoked", detail) from None
        if dry_run:
            return would_be(_view(created.stored), is_new=True)
        headers = {"Idempotency-Replayed": "true"} if created.replayed else {}
        return json_response({**_view(created.stored), "token": created.text.reveal()}, 201, headers)


def _add_revocation(routes: Blueprint, commands: ServiceTokens) -> None:
    @routes.route("/v1/service-tokens/<token_id>", methods=["DELETE"])
    @routes.arguments(DryRunArguments, location="query")
    @routes.response(204)
    @routes.alt_response(
        200, schema=WouldBeTokenSchema, description="A dry run: the token that would be revoked."
    )
    @requires(TokenScope.ADMIN, limits_itself=True)
    @describes(COMMAND, problems=["last_admin_token"])
    def revoke_token(arguments: Body, token_id: str) -> Response:
        """Revoke a token. It is refused everywhere within two seconds."""
        try:
            metadata = command_request(INSTALLATION).metadata()
            revoked = commands.revoke(principal(), token_id, metadata, **arguments)
        except BeyondOwnRights:
            record_refusal("exceeds_own_rights")
            revoked = None
        except LastAdministrator:
            detail = "without this token nobody could manage tokens; create another administrator first"
            raise Problem(409, "last_admin_token", detail) from None
        if revoked is None:
            raise Problem(404, "not_found", "no active token has that id")
        if arguments["dry_run"]:
            return would_be(_view(revoked), is_new=False)
        return empty_response()


def _requested(body: Body) -> RequestedToken:
    return RequestedToken(
        name=body["name"],
        scopes=frozenset(TokenScope(scope) for scope in body["scopes"]),
        accounts=None if body["accounts"] is None else frozenset(body["accounts"]),
        projects=None if body["projects"] is None else frozenset(body["projects"]),
        expires_at=body["expires_at"],
    )


def _view(token: StoredToken) -> dict[str, Any]:
    view = asdict(token)
    del view["hash"]
    view["id"] = view.pop("token_id")
    for name in ("scopes", "accounts", "projects"):
        view[name] = None if view[name] is None else sorted(view[name])
    return view
