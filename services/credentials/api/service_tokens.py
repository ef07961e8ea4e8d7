"""Service tokens over HTTP, for administrators (ADR 6).

Under an Idempotency-Key the token is derived from the key, the caller and the pepper of the key file, by
HMAC. A request that is repeated within a day therefore returns the same token, and no token is stored.
"""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from itertools import count
from secrets import token_bytes
from typing import Any

from flask import Response
from marshmallow import Schema, fields, validate

from chassis.authentication.token_table import PostgresTokens, UnknownToken
from chassis.authentication.tokens import StoredToken, TokenScope, compose
from chassis.bounded_list import BoundedList
from chassis.invalid_input import FieldProblem
from chassis.runtime.clock import now
from chassis.secret import Secret
from chassis.web.authentication import principal, requires
from chassis.web.blueprint import Blueprint
from chassis.web.limits import current_limits
from chassis.web.moment import Moment
from chassis.web.problems import Problem, invalid
from chassis.web.responses import empty_response, json_response
from credentials.api.commands import idempotency_key
from eventlog.storage import IdempotencyKeyReused

Body = dict[str, Any]
_RANDOM_BYTES = 38
_MAX_LIMIT = 200
_MOST_IDS = 1000  # accounts or projects of a token
_KEY_AGE = timedelta(hours=24)  # then the key is free, as for every other request

Derive = Callable[[bytes], bytes]  # 32 bytes, derived with the pepper of the key file


class TokenInput(Schema):
    """A service token to create."""

    name = fields.String(
        required=True,
        validate=[
            validate.Length(1, 100),
            validate.ContainsNoneOf("\0", error="Must not contain a NUL character."),
        ],
    )
    scopes = BoundedList(
        fields.String(validate=validate.OneOf([scope.value for scope in TokenScope])),
        least=1,
        most=2 * len(TokenScope),
        required=True,
    )
    accounts = BoundedList(fields.String(), most=_MOST_IDS, load_default=None, allow_none=True)
    projects = BoundedList(fields.String(), most=_MOST_IDS, load_default=None, allow_none=True)
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
    token = fields.String()


class TokenArguments(Schema):
    limit = fields.Integer(load_default=50, validate=validate.Range(1, _MAX_LIMIT))
    cursor = fields.String(load_default=None, validate=validate.Regexp(r"[A-Za-z0-9_-]{1,64}\Z"))


class TokenPage(Schema):
    items = fields.List(fields.Nested(TokenSchema))
    next_cursor = fields.String(allow_none=True)


def blueprint(tokens: PostgresTokens, keyed_hash: Callable[[Secret], bytes], *, derive: Derive) -> Blueprint:
    """Return the routes to create, list and revoke tokens. They need the scope `admin`."""
    routes = Blueprint("service tokens", __name__, description="Tokens of callers.")

    @routes.route("/v1/service-tokens", methods=["POST"])
    @routes.arguments(TokenInput)
    @routes.response(201, NewTokenSchema)
    @requires(TokenScope.ADMIN)
    def create_token(body: Body) -> Response:
        """Create a token. Only this response and repetitions under the same Idempotency-Key contain it.

        It is not stored. Under a key it is derived from the key and a secret of the installation.
        """
        moment = now()
        key = idempotency_key()
        token_id, secret = compose(
            token_bytes(_RANDOM_BYTES)
            if key is None
            else _under_key(tokens, derive, f"{principal().id}\0{key}", moment)
        )
        expired = body["expires_at"] is not None and body["expires_at"] <= moment
        # A repeated request gets its token, even if that has expired since.
        if expired and (key is None or tokens.find(token_id) is None):
            raise invalid(
                [FieldProblem("/expires_at", "in_the_past", "the token would have expired already")]
            )
        limits = current_limits()
        if limits is not None and (key is None or tokens.find(token_id) is None):
            limits.admit_token(tokens.number_created_by(principal().id))
        token = StoredToken(
            token_id=token_id,
            name=body["name"],
            hash=keyed_hash(secret),
            scopes=frozenset(TokenScope(scope) for scope in body["scopes"]),
            accounts=None if body["accounts"] is None else frozenset(body["accounts"]),
            projects=None if body["projects"] is None else frozenset(body["projects"]),
            created_at=moment,
            created_by=principal().id,
            expires_at=body["expires_at"],
        )
        stored = tokens.add(token)
        if _requested(stored) != _requested(token):
            raise IdempotencyKeyReused
        headers = {"Idempotency-Replayed": "true"} if stored.created_at != moment else {}
        return json_response({**_view(stored), "token": secret.reveal()}, 201, headers)

    @routes.route("/v1/service-tokens")
    @routes.arguments(TokenArguments, location="query")
    @routes.response(200, TokenPage)
    @requires(TokenScope.ADMIN)
    def list_tokens(arguments: Body) -> Response:
        """List the tokens, newest first, including revoked ones."""
        limit = arguments["limit"]
        try:
            found = tokens.page(limit=limit + 1, after=arguments["cursor"])
        except UnknownToken:
            raise Problem(400, "invalid_cursor", "the cursor is not from a page of this list") from None
        items = [_view(token) for token in found[:limit]]
        return json_response({"items": items, "next_cursor": items[-1]["id"] if len(found) > limit else None})

    @routes.route("/v1/service-tokens/<token_id>", methods=["DELETE"])
    @routes.response(204)
    @requires(TokenScope.ADMIN)
    def revoke_token(token_id: str) -> Response:
        """Revoke a token. It is refused everywhere within two seconds."""
        if not tokens.revoke(token_id):
            raise Problem(404, "not_found", "no active token has that id")
        return empty_response()

    return routes


def _under_key(tokens: PostgresTokens, derive: Derive, name: str, moment: datetime) -> bytes:
    """Return the bytes of the token for a caller and a key, which are `name`.

    These of a token that was created under the key a day ago or earlier are skipped: the key is free again.
    """
    names = (name if number == 0 else f"{name}\0{number}" for number in count())
    for derived in (_derived(derive, each) for each in names):
        stored = tokens.find(compose(derived)[0])
        if stored is None or moment - stored.created_at < _KEY_AGE:
            return derived
    raise AssertionError("the names are infinite")


def _derived(derive: Derive, name: str) -> bytes:
    parts = (derive(f"{part}\0{name}".encode()) for part in ("first", "second"))
    return b"".join(parts)[:_RANDOM_BYTES]


def _requested(token: StoredToken) -> tuple[object, ...]:
    return (token.name, token.scopes, token.accounts, token.projects, token.expires_at)


def _view(token: StoredToken) -> dict[str, Any]:
    view = asdict(token)
    del view["hash"]
    view["id"] = view.pop("token_id")
    for name in ("scopes", "accounts", "projects"):
        view[name] = None if view[name] is None else sorted(view[name])
    return view
