"""`POST …/credentials/{id}/verifications`: request a new login, and optionally wait for its result."""

from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import Schema, fields

from chassis.authentication.tokens import TokenScope
from chassis.web.authentication import requires
from chassis.web.blueprint import Blueprint
from chassis.web.described import COMMAND, IDEMPOTENT, VERSIONED, describes
from chassis.web.limits import current_limits
from chassis.web.responses import json_response, position_token
from contracts.schemas import VerificationSchema
from contracts.verification import probe_json, verification_json
from contracts.verification_events import VerificationSucceeded, verdict_of
from credentials.api.commands import RequestFingerprint, command_request, meaning, result_headers
from credentials.api.dry_run import DryRunArguments, RequestedVerificationSchema, would_be
from credentials.api.waiting import Waiting
from credentials.application.credentials import Credentials
from credentials.application.store import Outcome
from registries.input.image import read_image
from registries.input.new_secret import PROBED_IMAGE
from registries.verification_help import help_for, help_for_image

Body = dict[str, Any]

_CREDENTIAL = "/v1/accounts/<account_id>/credentials/<uuid:credential_id>"


class VerifySchema(Schema):
    """The options of a verification. The body may be omitted."""

    image = fields.String(load_default=None, allow_none=True, metadata=PROBED_IMAGE)


def add_route(
    routes: Blueprint,
    credentials: Credentials,
    waiting: Waiting,
    *,
    request_fingerprint: RequestFingerprint,
) -> None:
    """Add the route that requests a verification."""

    @routes.route(f"{_CREDENTIAL}/verifications", methods=["POST"])
    @routes.arguments(VerifySchema, required=False)
    @routes.arguments(DryRunArguments, location="query")
    @routes.response(202, VerificationSchema)
    @routes.alt_response(
        200, schema=RequestedVerificationSchema, description="The result within `Prefer`, or a dry run."
    )
    @requires(TokenScope.CREDENTIALS_WRITE)
    @describes(
        COMMAND,
        IDEMPOTENT,
        VERSIONED,
        reads=["Prefer"],
        sends=["Preference-Applied"],
        problems=["credential_not_found"],
        example={"image": "ghcr.io/acme/shop:1.4"},
    )
    def verify_credential(body: Body, arguments: Body, account_id: str, credential_id: UUID) -> Response:
        """Verify again. With `Prefer: wait=N` the response is the result, if there is one in N seconds.

        While many requests of the account or of all accounts wait, further ones do not: their responses have
        no `Preference-Applied`.
        """
        image = read_image(body["image"]) if body["image"] else None
        limits = current_limits()
        result = credentials.request_verification(
            command_request(account_id, request_fingerprint, meaning(VerifySchema, body), **arguments),
            credential_id,
            image,
            admit=limits.admit_verification if limits is not None else None,
        )
        if arguments["dry_run"]:
            return would_be(result.body, is_new=True)
        verification_id = UUID(result.body["id"])
        recorded, applied = waiting.wait_for(account_id, lambda: credentials.outcome_of(verification_id))
        headers = {**result_headers(result), **applied}
        if recorded:
            # A caller that waits for this position reads the outcome, not only the request.
            headers["Regcred-Position"] = position_token(recorded.stream_id, recorded.version)
            return json_response(_finished(recorded.outcome), 200, headers)
        return json_response(result.body, 202, headers)


def _finished(outcome: Outcome) -> Body:
    status, code = verdict_of(outcome)
    probe = outcome.probe if isinstance(outcome, VerificationSucceeded) else None
    return verification_json(
        verification_id=outcome.verification_id,
        trigger=outcome.trigger,
        secret_version=outcome.secret_version,
        status=status,
        code=code,
        detail=outcome.detail,
        advice=help_for(outcome.provider, code) if code else None,
        checked_at=outcome.checked_at,
        duration_ms=outcome.duration_ms,
        probe=probe_json(probe, help_for_image(outcome.provider, probe.code)) if probe else None,
    )
