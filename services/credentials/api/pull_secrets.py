"""`POST …/pull-secrets`: the only route that returns secrets, after their issuance is recorded."""

import re
from typing import Any, get_args

from flask import Response
from marshmallow import Schema, fields, validate

from chassis.authentication.tokens import TokenScope
from chassis.bounded_list import BoundedList
from chassis.invalid_input import FieldProblem, InvalidInput
from chassis.web.authentication import authorise_project, requires
from chassis.web.blueprint import Blueprint
from chassis.web.responses import json_response
from contracts.issuance_events import MAX_IMAGES, Workload
from contracts.schemas import WorkloadSchema
from credentials.api.allow_anonymous import AllowAnonymous
from credentials.api.commands import RequestFingerprint, command_headers, command_request
from credentials.api.credential_choice import CredentialChoice, choice_of
from credentials.api.requested_images import names_as_written, requested_images
from credentials.application.issuance import Issuer, PullSecret
from credentials.domain import values
from credentials.domain.issuance import Client, PullSecretRequest
from credentials.domain.pull_secret_formats import auth_keys, basic, docker_config, kubernetes_secret

Body = dict[str, Any]

_KIND = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,62}")
_MAX_NAME = 253


class PullSecretInput(CredentialChoice):
    """Images that a workload of a project is about to pull, or the repository or registry of them."""

    images = BoundedList(
        fields.String(),
        most=MAX_IMAGES,
        code="invalid_length",
        load_default=list,
        metadata={"example": ["ghcr.io/acme/shop:1.4"]},
    )
    registry_host = fields.String(
        load_default=None,
        allow_none=True,
        metadata={
            "description": "In place of images, for clients that know hosts only. A credential with "
            "repository prefixes is issued only if it is the only one that the project may use there."
        },
    )
    repository = fields.String(
        load_default=None,
        allow_none=True,
        metadata={
            "description": "In place of images, for clients that do not know the tag, such as the kubelet: "
            "`ghcr.io/acme/shop`. It is recorded without a tag. An image without a tag means `:latest`."
        },
    )
    project_id = fields.String(required=True, metadata={"example": "shop"})
    workload = fields.Nested(WorkloadSchema, required=True)
    format = fields.String(
        load_default="docker_config",
        validate=validate.OneOf(["docker_config", "kubernetes_secret", "basic"]),
        metadata={"description": "`basic` is for exactly one image."},
    )
    client = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.OneOf(get_args(Client)),
        metadata={
            "description": "The client that reads the secret. What it cannot use is refused, and not issued "
            "in a file that does not work. `docker`: clients that look up hosts only (Docker, docker-py, "
            "oras). If several credentials of a host are needed, images whose credential is not the one "
            "without repository prefixes are refused with `one_login_per_host`. `podman`: Podman, Buildah, "
            "Skopeo. `kubernetes`: the kubelet, which cannot use identity tokens. `crane`: crane, ko and "
            "others with go-containerregistry, such as Flux and Tekton. By default nothing is refused."
        },
    )
    allow_anonymous = AllowAnonymous()
    short_lived = fields.Boolean(
        load_default=False,
        metadata={
            "description": "Issue an access token that is valid for an hour in place of a Google key file. "
            "Logins created from AWS keys and service principals are always valid for some hours."
        },
    )


class BasicSchema(Schema):
    username = fields.String()
    password = fields.String()


class IssuedCredentialSchema(Schema):
    credential_id = fields.UUID()
    secret_version = fields.Integer()
    images = fields.List(
        fields.String(),
        metadata={
            "description": "In their canonical form, which is the one to pull; `ghcr.io/acme/shop` for a "
            "request for a repository, `ghcr.io/*` for one for a whole registry."
        },
    )
    auth_keys = fields.List(
        fields.String(),
        metadata={
            "description": "Its keys under `auths`: the host. If several credentials of one host are issued, "
            "the one without repository prefixes has the host, and the others have repositories such as "
            "`ghcr.io/acme/shop`, which Docker does not look up. A host that the request writes in another "
            "spelling (`ghcr.io:443`) is a key in this spelling too."
        },
    )


class PullSecretSchema(Schema):
    """The secret, in the requested format. Do not store it anywhere else."""

    format = fields.String()
    docker_config = fields.Dict(metadata={"description": "A Docker config.json."})
    kubernetes_secret = fields.Dict(
        metadata={
            "description": "A Secret of type kubernetes.io/dockerconfigjson, to apply in the workload's "
            "namespace. The same workload gets the same name. Kubernetes does not support identity tokens."
        }
    )
    basic = fields.Nested(
        BasicSchema,
        allow_none=True,
        metadata={"description": "null if the image is pulled without a credential."},
    )
    credentials = fields.List(fields.Nested(IssuedCredentialSchema))
    anonymous_images = fields.List(fields.String())
    expires_at = fields.DateTime(
        allow_none=True,
        metadata={"description": "When the first expires: the expiry of a credential or of a created login."},
    )


def blueprint(issuer: Issuer, *, request_fingerprint: RequestFingerprint) -> Blueprint:
    """Return the route of pull secrets. `request_fingerprint` hashes requests with an Idempotency-Key."""
    routes = Blueprint("pull secrets", __name__, description="The secret that a deployment pulls with.")

    @routes.route("/v1/accounts/<account_id>/pull-secrets", methods=["POST"])
    @routes.arguments(PullSecretInput)
    @routes.response(200, PullSecretSchema)
    @requires(TokenScope.SECRETS_ISSUE, project_in_body=True)
    def issue_pull_secret(body: Body, account_id: str) -> Response:
        """Issue the secret that a workload needs to pull its images. It is recorded first.

        Either every image gets a credential, or none. A repeated Idempotency-Key writes no second record, but
        the request is decided again: a credential that was restricted or removed since is not issued.
        """
        authorise_project(body["project_id"])
        wanted = _wanted(body)
        pull_secret = issuer.issue(command_request(account_id, request_fingerprint), wanted)
        headers = {
            **command_headers(pull_secret.issuance_id, pull_secret.version, pull_secret.version),
            "Cache-Control": "no-store",
        }
        if pull_secret.replayed:
            headers["Idempotency-Replayed"] = "true"
        return json_response(_response_body(account_id, wanted, pull_secret), 200, headers)

    return routes


def _wanted(body: Body) -> PullSecretRequest:
    """Parse the body. Raises `InvalidInput` with every problem."""
    images, problems = requested_images(body)
    try:
        values.project_id(body["project_id"])
    except InvalidInput as error:
        problems.extend(error.problems)
    kind, name = body["workload"]["kind"], body["workload"]["name"]
    if not _KIND.fullmatch(kind):
        detail = "a letter, then up to 62 letters, digits, dots, hyphens or underscores"
        problems.append(FieldProblem("/workload/kind", "invalid_workload", detail))
    if not 0 < len(name) <= _MAX_NAME or not name.isprintable() or name != name.strip():
        detail = f"1 to {_MAX_NAME} characters of one line, without leading or trailing spaces"
        problems.append(FieldProblem("/workload/name", "invalid_workload", detail))
    if body["format"] == "basic" and not problems and len(set(images)) > 1:
        detail = "username and password are only issued for one image; request a docker_config"
        problems.append(FieldProblem("/images", "one_image", detail))
    values.raise_all(problems)
    return PullSecretRequest(
        images=tuple(images),
        project_id=body["project_id"],
        workload=Workload(kind=kind, name=name),
        format=body["format"],
        allow_anonymous=body["allow_anonymous"],
        short_lived=body["short_lived"],
        chosen=choice_of(body),
        client=body["client"],
        as_written=names_as_written(body, images),
    )


def _response_body(account_id: str, wanted: PullSecretRequest, pull_secret: PullSecret) -> dict[str, Any]:
    grants = [one.grant for one in pull_secret.issued]
    keys = auth_keys(grants)
    expiries = [
        expiry
        for one in pull_secret.issued
        for expiry in (one.expires_at, one.grant.candidate.expires_at)
        if expiry is not None
    ]
    return {
        "format": wanted.format,
        wanted.format: _secret(account_id, wanted, pull_secret),
        "credentials": [
            {
                "credential_id": grant.candidate.credential_id,
                "secret_version": grant.candidate.secret_version,
                "images": [str(image) for image in grant.images],
                "auth_keys": keys[grant.candidate.credential_id],
            }
            for grant in grants
        ],
        "anonymous_images": [str(image) for image in pull_secret.anonymous],
        "expires_at": min(expiries, default=None),
    }


def _secret(account_id: str, wanted: PullSecretRequest, pull_secret: PullSecret) -> dict[str, Any] | None:
    match wanted.format:
        case "docker_config":
            return docker_config(pull_secret.issued)
        case "kubernetes_secret":
            return kubernetes_secret(
                pull_secret.issued,
                account_id=account_id,
                project_id=wanted.project_id,
                workload=wanted.workload,
            )
        case "basic":
            return basic(pull_secret.issued[0].login) if pull_secret.issued else None
