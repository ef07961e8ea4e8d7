"""The command routes: a request becomes a command, its answer a response."""

import re
from datetime import datetime, timedelta
from time import monotonic, sleep
from typing import Any
from uuid import UUID

from flask import Response, request

from credentials.api import inputs
from credentials.api.answering import respond
from credentials.api.command_request import Fingerprint, command_request
from credentials.api.schemas import (
    AddSchema,
    ChangeSchema,
    RotateSchema,
    VerifySchema,
)
from credentials.application.credentials import Credentials
from credentials.domain import values
from credentials.domain.commands import UNCHANGED, Unchanged
from credentials.domain.credential import Active
from shared.auth.tokens import TokenScope
from shared.input.image import read_image
from shared.input.new_secret import HttpAllowed, NewSecret, Target, read_new_secret
from shared.web.blueprint import Blueprint
from shared.web.conditional import expected_version
from shared.web.door import requires
from shared.web.responses import command_headers, json_response
from shared.web.schemas import CredentialSchema, VerificationSchema

Body = dict[str, Any]

MAX_WAIT_SECONDS = 30.0
_WAIT_POLL_SECONDS = 0.05
_ACCOUNT = "/v1/accounts/<account_id>"
_CREDENTIAL = f"{_ACCOUNT}/credentials/<uuid:credential_id>"
_WAIT = re.compile(r"(?:^|[,;\s])wait=([0-9]{1,4})(?:$|[,;\s])")


def blueprint(credentials: Credentials, *, http_allowed: HttpAllowed, fingerprint: Fingerprint) -> Blueprint:
    """The routes by which a credential is added and kept good; who may use it is in `access_routes`."""
    routes = Blueprint("commands", __name__, description="Add, change, rotate, verify.")

    @routes.route(f"{_ACCOUNT}/credentials", methods=["POST"])
    @routes.arguments(AddSchema)
    @routes.response(201, CredentialSchema)
    @requires(TokenScope.CREDENTIALS_WRITE)
    def add_credential(body: Body, account_id: str) -> Response:
        """Add a credential; it is verified by a login at once."""
        asked = command_request(account_id, fingerprint)
        secret, details, restrictions = inputs.added(body, now=asked.now, http_allowed=http_allowed)
        answer = credentials.add(asked, secret, details, restrictions)
        location = f"/v1/accounts/{account_id}/credentials/{answer.credential_id}"
        return respond(answer, 201, {"Location": location})

    @routes.route(_CREDENTIAL, methods=["PATCH"])
    @routes.arguments(ChangeSchema)
    @routes.response(200, CredentialSchema)
    @requires(TokenScope.CREDENTIALS_WRITE)
    def change_credential(body: Body, account_id: str, credential_id: UUID) -> Response:
        """Change name, description, scope, repository prefixes or expiry."""
        asked = command_request(account_id)
        command = inputs.changed(body, now=asked.now)
        return respond(credentials.change(asked, credential_id, expected_version(), command))

    @routes.route(f"{_CREDENTIAL}/secret", methods=["PUT"])
    @routes.arguments(RotateSchema)
    @routes.response(200, CredentialSchema)
    @requires(TokenScope.CREDENTIALS_WRITE)
    def rotate_secret(body: Body, account_id: str, credential_id: UUID) -> Response:
        """Replace the secret, and with it, if named, the registry."""
        asked = command_request(account_id)

        def secret_for(credential: Active) -> NewSecret:
            target = Target.again(
                credential.registry, registry_url=body.get("registry_url"), location=body.get("location")
            )
            return read_new_secret(target, body["credential"], http_allowed=http_allowed)

        expires_at: datetime | Unchanged | None = UNCHANGED
        if "expires_at" in body:
            expires_at = values.expiry(body["expires_at"], now=asked.now)
        return respond(
            credentials.rotate(
                asked,
                credential_id,
                expected_version(),
                secret_for,
                expires_at,
                grace=timedelta(seconds=body["grace_seconds"]),
            )
        )

    @routes.route(f"{_CREDENTIAL}/verifications", methods=["POST"])
    @routes.arguments(VerifySchema, required=False)
    @routes.response(202, VerificationSchema)
    @requires(TokenScope.CREDENTIALS_WRITE)
    def verify_credential(body: Body, account_id: str, credential_id: UUID) -> Response:
        """Verify again. With `Prefer: wait=N` the answer is the result, if there is one within N seconds."""
        image = read_image(body["image"]) if body["image"] else None
        asked = command_request(account_id, fingerprint)
        answer = credentials.request_verification(asked, credential_id, image)
        headers = command_headers(answer.credential_id, answer.version)
        wait = _WAIT.search(request.headers.get("Prefer", ""))
        if wait:
            seconds = min(float(wait[1]), MAX_WAIT_SECONDS)
            headers["Preference-Applied"] = f"wait={seconds:g}"
            outcome = _await_outcome(credentials, credential_id, UUID(answer.body["id"]), seconds)
            if outcome:
                return json_response(outcome, 200, headers)
        return json_response(answer.body, 202, headers)

    return routes


def _await_outcome(
    credentials: Credentials, credential_id: UUID, verification_id: UUID, seconds: float
) -> dict[str, Any] | None:
    deadline = monotonic() + seconds
    while True:
        outcome = credentials.outcome_of(credential_id, verification_id)
        if outcome or monotonic() >= deadline:
            return outcome
        sleep(_WAIT_POLL_SECONDS)
