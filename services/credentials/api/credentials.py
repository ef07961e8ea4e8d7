"""`POST …/credentials`, `PATCH …/credentials/{id}`."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import Schema, fields

from chassis.authentication.tokens import TokenScope
from chassis.bounded_list import BoundedList
from chassis.web.authentication import requires
from chassis.web.blueprint import Blueprint
from chassis.web.described import COMMAND, IDEMPOTENT, IF_MATCH, VERSIONED, describes
from chassis.web.moment import Moment
from contracts.credential import Active
from contracts.credential_events import MAX_PREFIXES, Details, Hosts, Restrictions
from contracts.schemas import AdditionalHosts, CredentialSchema, MirrorOf, RestrictionsSchema, ScopeSchema
from credentials.api import rotation, verifications
from credentials.api.commands import RequestFingerprint, command_request, expected_version, meaning, respond
from credentials.api.dry_run import DryRunArguments, WouldBeAddedSchema, would_be
from credentials.api.impact import ChangedSchema, ForceArguments, changed_response, force_reason
from credentials.api.waiting import Waiting
from credentials.application.credentials import Credentials
from credentials.domain import values
from credentials.domain.commands import ChangeDetails
from credentials.domain.hosts import additional_hosts, mirror_of
from registries.input.new_secret import (
    CREDENTIAL_METADATA,
    PROVIDER_METADATA,
    CredentialInput,
    HttpAllowed,
    NewSecret,
    Target,
    read_new_secret,
)

Body = dict[str, Any]

_ACCOUNT = "/v1/accounts/<account_id>"
_CREDENTIAL = f"{_ACCOUNT}/credentials/<uuid:credential_id>"


class AddSchema(Schema):
    """A registry credential to store."""

    name = fields.String(required=True, metadata={"example": "team-ghcr"})
    provider = fields.String(required=True, metadata=PROVIDER_METADATA)
    registry_url = fields.String(
        load_default=None,
        allow_none=True,
        metadata={"description": "host[:port], if the provider does not fix it."},
    )
    location = fields.String(
        load_default=None, allow_none=True, metadata={"description": "Location of a Google registry."}
    )
    additional_hosts = AdditionalHosts(load_default=list)
    mirror_of = MirrorOf(load_default=list)
    description = fields.String(load_default="")
    credential = CredentialInput(required=True, metadata=CREDENTIAL_METADATA)
    scope = fields.Nested(ScopeSchema, load_default=lambda: {"pull": True, "push": False})
    repository_prefixes = BoundedList(fields.String(), most=MAX_PREFIXES, load_default=list)
    restrictions = fields.Nested(
        RestrictionsSchema, load_default=lambda: {"restricted": False, "projects": []}
    )
    expires_at = Moment(load_default=None, allow_none=True)


class ChangeSchema(Schema):
    """Details to change. Fields that are not sent stay."""

    name = fields.String()
    description = fields.String()
    scope = fields.Nested(ScopeSchema)
    repository_prefixes = BoundedList(fields.String(), most=MAX_PREFIXES)
    expires_at = Moment(allow_none=True)
    additional_hosts = AdditionalHosts()
    mirror_of = MirrorOf()


def blueprint(
    credentials: Credentials, *, http_allowed: HttpAllowed, request_fingerprint: RequestFingerprint
) -> Blueprint:
    """Return the routes to add, change, rotate and verify. `access` has restrictions and removal."""
    routes = Blueprint("commands", __name__, description="Add, change, rotate, verify.")

    @routes.route(f"{_ACCOUNT}/credentials", methods=["POST"])
    @routes.arguments(AddSchema)
    @routes.arguments(DryRunArguments, location="query")
    @routes.response(201, CredentialSchema)
    @routes.alt_response(200, schema=WouldBeAddedSchema, description="A dry run.")
    @requires(TokenScope.CREDENTIALS_WRITE)
    @describes(
        COMMAND,
        IDEMPOTENT,
        VERSIONED,
        sends=["Location"],
        problems=["name_taken", "credentials_limited"],
        example={
            "name": "team-ghcr",
            "provider": "custom",
            "registry_url": "registry.example.com",
            "credential": {"kind": "username_password", "username": "octo", "password": "ghp_example"},
            "repository_prefixes": ["acme/"],
        },
    )
    def add_credential(body: Body, arguments: Body, account_id: str) -> Response:
        """Add a credential. It is then verified with a login."""
        request = command_request(account_id, request_fingerprint, meaning(AddSchema, body), **arguments)
        result = credentials.replay(request)
        if result is None:
            parsed = parse_addition(body, now=request.now, http_allowed=http_allowed)
            result = credentials.add(request, *parsed)
        if request.dry_run:
            return would_be(result.body, is_new=True)
        location = f"/v1/accounts/{account_id}/credentials/{result.credential_id}"
        return respond(result, 201, {"Location": location})

    @routes.route(_CREDENTIAL, methods=["PATCH"])
    @routes.arguments(ChangeSchema)
    @routes.arguments(ForceArguments, location="query")
    @routes.response(200, ChangedSchema)
    @requires(TokenScope.CREDENTIALS_WRITE)
    @describes(
        COMMAND,
        IF_MATCH,
        VERSIONED,
        problems=["credential_not_found", "name_taken", "credential_in_use"],
        example={"name": "team-ghcr", "expires_at": "2027-03-01T00:00:00Z"},
    )
    def change_credential(body: Body, arguments: Body, account_id: str, credential_id: UUID) -> Response:
        """Change name, description, scope, repository prefixes, expiry, hosts or mirrored registries.

        While workloads that would lose it use it, this needs `force`.
        """
        request = command_request(
            account_id, dry_run=arguments["dry_run"], force_reason=force_reason(arguments)
        )

        def command_for(credential: Active) -> ChangeDetails:
            return parse_change(
                body, now=request.now, http_allowed=http_allowed, registry_host=credential.registry.host
            )

        return changed_response(credentials.change(request, credential_id, expected_version(), command_for))

    waiting = Waiting()
    rotation.add_routes(
        routes, credentials, waiting, http_allowed=http_allowed, request_fingerprint=request_fingerprint
    )
    verifications.add_route(routes, credentials, waiting, request_fingerprint=request_fingerprint)
    return routes


def parse_addition(
    body: Body, *, now: datetime, http_allowed: HttpAllowed
) -> tuple[NewSecret, Details, Restrictions, Hosts]:
    """Parse the body of an addition. Raises `InvalidInput` with every problem."""
    target = Target(provider=body["provider"], registry_url=body["registry_url"], location=body["location"])
    registry_host: str | None = None

    def new_secret() -> NewSecret:
        nonlocal registry_host
        secret = read_new_secret(target, body["credential"], http_allowed=http_allowed)
        registry_host = secret.registry.host
        return secret

    parsed = values.parse_all(
        secret=new_secret,
        **_parsers(body, now=now, http_allowed=http_allowed, registry_host=lambda: registry_host),
        restrictions=lambda: values.restrictions(**body["restrictions"]),
    )
    secret, restrictions = parsed.pop("secret"), parsed.pop("restrictions")
    if secret.path_prefix and not parsed["repository_prefixes"]:
        parsed["repository_prefixes"] = (secret.path_prefix,)
    hosts = Hosts(additional_hosts=parsed.pop("additional_hosts"), mirror_of=parsed.pop("mirror_of"))
    return secret, Details(**parsed), restrictions, hosts


def parse_change(
    body: Body, *, now: datetime, http_allowed: HttpAllowed, registry_host: str
) -> ChangeDetails:
    """Parse the body of a change. Raises `InvalidInput` with every problem."""
    parsers = _parsers(body, now=now, http_allowed=http_allowed, registry_host=lambda: registry_host)
    return ChangeDetails(**values.parse_all(**{name: parsers[name] for name in parsers if name in body}))


def _parsers(
    body: Body, *, now: datetime, http_allowed: HttpAllowed, registry_host: Callable[[], str | None]
) -> dict[str, Callable[[], Any]]:
    """Return the parser of each detail, in the order in which problems are reported."""
    return {
        "name": lambda: values.credential_name(body["name"]),
        "description": lambda: values.description(body["description"]),
        "scope": lambda: values.scope(**body["scope"]),
        "repository_prefixes": lambda: values.repository_prefixes(
            body["repository_prefixes"], registry_host()
        ),
        "expires_at": lambda: values.expiry(body["expires_at"], now=now),
        "additional_hosts": lambda: additional_hosts(body["additional_hosts"], http_allowed=http_allowed),
        "mirror_of": lambda: mirror_of(body["mirror_of"]),
    }
