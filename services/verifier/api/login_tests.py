"""`POST …/verifications`: test a login before it is saved. The request stores nothing."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import structlog
from flask import Response
from marshmallow import Schema, fields

from chassis.authentication.tokens import TokenScope
from chassis.bounded_list import BoundedList
from chassis.invalid_input import FieldProblem, InvalidInput
from chassis.runtime.slots import Slots
from chassis.web.authentication import requires
from chassis.web.blueprint import Blueprint
from chassis.web.described import describes
from chassis.web.moment import Moment
from chassis.web.responses import json_response
from contracts.credential_events import MAX_PREFIXES
from contracts.schemas import RestrictionsSchema, ScopeSchema, VerificationSchema
from contracts.verdicts import VerificationStatus, status_of
from contracts.verification import probe_json, verification_json
from contracts.verification_events import ImageProbe
from registries.hosts import api_host
from registries.input.image import read_image
from registries.input.new_secret import (
    CREDENTIAL_METADATA,
    PROBED_IMAGE,
    PROVIDER_METADATA,
    CredentialInput,
    HttpAllowed,
    NewSecret,
    Target,
    read_new_secret,
)
from registries.protocol.login import Probe, Verdict
from registries.protocol.verdict import ProbeResult
from registries.verification_help import help_for, help_for_image
from verifier.schedule.admission import Admission, LoginIdentity
from verifier.verifier import VERIFIED, LogIn

log = structlog.get_logger()

Body = dict[str, Any]
_AS_FOR_ADD = {"description": "As in the request that adds a credential; ignored here."}


class LoginTestInput(Schema):
    """A login, as in the request that adds a credential. The other fields of that request are allowed."""

    provider = fields.String(required=True, metadata=PROVIDER_METADATA)
    registry_url = fields.String(load_default=None, allow_none=True)
    location = fields.String(load_default=None, allow_none=True)
    credential = CredentialInput(required=True, metadata=CREDENTIAL_METADATA)
    scope = fields.Nested(ScopeSchema, load_default=lambda: {"pull": True, "push": False})
    image = fields.String(load_default=None, allow_none=True, metadata=PROBED_IMAGE)
    name = fields.String(load_default=None, allow_none=True, metadata=_AS_FOR_ADD)
    description = fields.String(load_default=None, allow_none=True, metadata=_AS_FOR_ADD)
    repository_prefixes = BoundedList(
        fields.String(), most=MAX_PREFIXES, load_default=list, metadata=_AS_FOR_ADD
    )
    restrictions = fields.Nested(RestrictionsSchema, load_default=None, allow_none=True, metadata=_AS_FOR_ADD)
    expires_at = Moment(load_default=None, allow_none=True, metadata=_AS_FOR_ADD)


class LoginTestSchema(VerificationSchema):
    """The verification of a login that is not stored."""

    id = fields.UUID(allow_none=True, metadata={"description": "Always null."})
    secret_version = fields.Integer(allow_none=True, metadata={"description": "Always null."})


def blueprint(
    log_in: LogIn,
    slots: Slots,
    admission: Admission,
    *,
    http_allowed: HttpAllowed,
    now: Callable[[], datetime],
    monotonic: Callable[[], float],
) -> Blueprint:
    """Test a login before it is saved."""
    routes = Blueprint("login-tests", __name__, description="Test a login before it is stored.")

    @routes.route("/v1/accounts/<account_id>/verifications", methods=["POST"])
    @routes.arguments(LoginTestInput)
    @routes.response(200, LoginTestSchema)
    @requires(TokenScope.CREDENTIALS_WRITE)
    @describes(
        problems=["too_many_logins", "login_held_back"],
        example={
            "provider": "custom",
            "registry_url": "registry.example.com",
            "credential": {"kind": "username_password", "username": "octo", "password": "ghp_example"},
            "image": "registry.example.com/acme/shop:1.4",
        },
    )
    def test_login(body: Body, account_id: str) -> Response:
        """Test a login once, without storing it.

        The response is a verification without an id. It is 200 even if the registry refuses the login. The
        next login of the same user is then delayed, longer each time (429 `login_held_back`).
        """
        secret, probe = _read(body, http_allowed)
        registry = secret.registry
        identity = LoginIdentity(
            registry_host=registry.host, username=secret.login.username, account_id=account_id
        )
        with slots.one(account_id), admission.for_test(identity) as attempt:
            started = monotonic()
            verdict = log_in(
                registry_host=registry.host,
                api_host=api_host(registry.host),
                login=secret.login,
                provider=registry.provider,
                probe=probe,
            )
            attempt.ended(verdict.code or VERIFIED, verdict.retry_after)
            duration_ms = round((monotonic() - started) * 1000)
        log.info(
            "tried",
            account_id=account_id,
            registry_host=registry.host,
            code=verdict.code or "verified",
            ms=duration_ms,
        )
        return json_response(_item(verdict, registry.provider, now(), duration_ms))

    return routes


def _read(body: Body, http_allowed: HttpAllowed) -> tuple[NewSecret, Probe | None]:
    target = Target(provider=body["provider"], registry_url=body["registry_url"], location=body["location"])
    secret = read_new_secret(target, body["credential"], http_allowed=http_allowed)
    if not body["image"]:
        return secret, None
    image = read_image(body["image"])
    if image.registry_host != secret.registry.host:
        detail = f"the image is not in {secret.registry.host}, the registry of the login"
        raise InvalidInput((FieldProblem("/image", "host_mismatch", detail),))
    return secret, Probe(image=image, push=body["scope"]["push"])


def _item(verdict: Verdict, provider: str, checked_at: datetime, duration_ms: int) -> Body:
    code = verdict.code
    return verification_json(
        verification_id=None,
        trigger="requested",
        secret_version=None,
        status=status_of(code) if code else VerificationStatus.VERIFIED,
        code=code,
        detail=verdict.detail,
        advice=help_for(provider, code) if code else None,
        checked_at=checked_at,
        duration_ms=duration_ms,
        probe=_probe(verdict.probed, provider),
    )


def _probe(probed: ProbeResult | None, provider: str) -> Body | None:
    if probed is None:
        return None
    probe = ImageProbe(image=str(probed.image), code=probed.code, detail=probed.detail)
    return probe_json(probe, help_for_image(provider, probed.code))
