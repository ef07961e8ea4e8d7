"""`PUT …/credentials/{id}/secret` and `POST …/credentials/{id}/secret/rollback`."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import Schema, fields, validate

from chassis.authentication.tokens import TokenScope
from chassis.runtime.clock import now
from chassis.web.authentication import requires
from chassis.web.blueprint import Blueprint
from chassis.web.described import COMMAND, IDEMPOTENT, IF_MATCH, VERSIONED, describes
from chassis.web.moment import Moment
from contracts.credential import Active
from contracts.schemas import CredentialSchema
from contracts.verification_events import RotationTested
from credentials.api.commands import RequestFingerprint, command_request, expected_version, meaning, respond
from credentials.api.impact import ChangedSchema, ForceArguments, changed_response, force_reason
from credentials.api.waiting import Waiting
from credentials.application.command_handler import CommandResult
from credentials.application.credentials import Credentials
from credentials.application.store import RequestedRotation
from credentials.domain import values
from credentials.domain.commands import DEFAULT_GRACE, MAX_GRACE, UNCHANGED, Unchanged
from credentials.domain.errors import RotationDiscarded
from registries.input.new_secret import (
    CREDENTIAL_METADATA,
    CredentialInput,
    HttpAllowed,
    NewSecret,
    Target,
    read_new_secret,
)

Body = dict[str, Any]

_PATH = "/v1/accounts/<account_id>/credentials/<uuid:credential_id>/secret"


class _GraceSchema(Schema):
    grace_seconds = fields.Integer(
        strict=True,
        load_default=int(DEFAULT_GRACE.total_seconds()),
        validate=validate.Range(0, int(MAX_GRACE.total_seconds())),
        metadata={
            "description": "The time in which the previous secret can be read, for requests in progress. "
            "0: it is destroyed at once. Pull secrets contain the new one from now on in any case."
        },
    )


class RotateSchema(_GraceSchema):
    """A new secret. The registry stays unless another one is named."""

    credential = CredentialInput(required=True, metadata=CREDENTIAL_METADATA)
    verify = fields.String(
        load_default="afterwards",
        validate=validate.OneOf(["afterwards", "required"]),
        metadata={
            "description": "`required`: rotate only if a login with the new secret is accepted. Until then "
            "the response is 202, and `rotation` of the credential says what became of it."
        },
    )
    registry_url = fields.String(allow_none=True)
    location = fields.String(allow_none=True)
    expires_at = Moment(allow_none=True)


class RollBackSchema(_GraceSchema):
    """The options of a rollback. The body may be omitted."""


def add_routes(
    routes: Blueprint,
    credentials: Credentials,
    waiting: Waiting,
    *,
    http_allowed: HttpAllowed,
    request_fingerprint: RequestFingerprint,
) -> None:
    """Add the routes that replace a secret and restore the former one."""

    @routes.route(_PATH, methods=["PUT"])
    @routes.arguments(RotateSchema)
    @routes.arguments(ForceArguments, location="query")
    @routes.response(200, ChangedSchema)
    @routes.alt_response(
        202, schema=CredentialSchema, description="The rotation waits for an accepted login."
    )
    @requires(TokenScope.CREDENTIALS_WRITE)
    @describes(
        COMMAND,
        IF_MATCH,
        VERSIONED,
        reads=["Prefer"],
        sends=["Preference-Applied"],
        problems=[
            "credential_not_found",
            "credential_in_use",
            "secret_not_verified",
            "rotation_discarded",
        ],
        example={
            "credential": {"kind": "username_password", "username": "octo", "password": "ghp_example"},
            "grace_seconds": 900,
        },
    )
    def rotate_secret(body: Body, arguments: Body, account_id: str, credential_id: UUID) -> Response:
        """Replace the secret and, if given, the registry. Another one needs `force` while it is in use.

        With `verify: required`, `Prefer: wait=N` waits N seconds for the login.
        """
        request = command_request(
            account_id, dry_run=arguments["dry_run"], force_reason=force_reason(arguments)
        )

        def secret_for(credential: Active) -> NewSecret:
            target = Target.of_existing(
                credential.registry, registry_url=body.get("registry_url"), location=body.get("location")
            )
            return read_new_secret(target, body["credential"], http_allowed=http_allowed)

        expires_at: datetime | Unchanged | None = UNCHANGED
        if "expires_at" in body:
            expires_at = values.expiry(body["expires_at"], now=request.now)
        result = credentials.rotations.rotate(
            request,
            credential_id,
            expected_version(),
            secret_for,
            expires_at,
            grace=timedelta(seconds=body["grace_seconds"]),
            only_if_verified=body["verify"] == "required",
        )
        if request.dry_run or body["verify"] != "required":
            return changed_response(result)
        requested = RequestedRotation(account_id, credential_id, UUID(result.body["rotation"]["id"]))
        tested, applied = waiting.wait_for(
            account_id, lambda: credentials.rotations.tested(requested.rotation_id)
        )
        if tested is None:
            return respond(result, 202, applied)
        settled = credentials.rotations.settle(requested, now())
        return respond(_rotated(settled, tested), 200, applied)

    @routes.route(f"{_PATH}/rollback", methods=["POST"])
    @routes.arguments(RollBackSchema, required=False)
    @routes.arguments(ForceArguments, location="query")
    @routes.response(200, ChangedSchema)
    @requires(TokenScope.CREDENTIALS_WRITE)
    @describes(
        COMMAND,
        IF_MATCH,
        IDEMPOTENT,
        VERSIONED,
        problems=["credential_not_found", "credential_in_use", "no_former_secret", "former_secret_gone"],
        example={"grace_seconds": 900},
    )
    def roll_back_secret(body: Body, arguments: Body, account_id: str, credential_id: UUID) -> Response:
        """Restore the login that the last rotation replaced, while its grace lasts.

        The former secret becomes the current one, as a new version, with its username, registry and expiry.
        The replaced secret can be restored in the same way. Another registry needs `force` while the
        credential is in use.
        """
        request = command_request(
            account_id,
            request_fingerprint,
            meaning(RollBackSchema, body),
            dry_run=arguments["dry_run"],
            force_reason=force_reason(arguments),
        )
        grace = timedelta(seconds=body["grace_seconds"])
        return changed_response(
            credentials.rotations.roll_back(request, credential_id, expected_version(), grace=grace)
        )


def _rotated(settled: CommandResult, tested: RotationTested) -> CommandResult:
    """Return the result of a rotation that was done. Raises `RotationDiscarded`."""
    rotation = settled.body["rotation"]
    if rotation is not None and rotation["id"] == str(tested.rotation_id):
        raise RotationDiscarded(rotation["reason"], tested.provider, rotation["code"], rotation["detail"])
    if settled.body["secret_version"] != tested.secret_version:
        raise RotationDiscarded("superseded", tested.provider, None, None)
    return settled
