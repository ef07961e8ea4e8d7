"""`POST …/pull-secrets`: the only route by which a secret leaves, after the record of it is committed."""

from typing import Any

from flask import Response
from marshmallow import Schema, fields, validate

from credentials.api.command_request import Fingerprint, command_request
from credentials.api.pull_secret_inputs import wanted
from credentials.application.issuing import Issuing, PullSecret
from credentials.domain.issuing import PullSecretWanted
from credentials.domain.issuing_formats import auth_keys, basic, docker_config, kubernetes_secret
from shared.auth.tokens import TokenScope
from shared.web.blueprint import Blueprint
from shared.web.door import authorise_project, requires
from shared.web.responses import command_headers, json_response
from shared.web.schemas import WorkloadSchema

Body = dict[str, Any]


class PullSecretInput(Schema):
    """Images that a workload of a project is about to pull, or the registry that it pulls from."""

    images = fields.List(fields.String(), load_default=list, metadata={"example": ["ghcr.io/acme/shop:1.4"]})
    registry_host = fields.String(
        load_default=None,
        allow_none=True,
        metadata={
            "description": "In place of images, for clients that know hosts only. A credential with "
            "repository prefixes is given out only if the project may use no other there."
        },
    )
    project_id = fields.String(required=True, metadata={"example": "shop"})
    workload = fields.Nested(WorkloadSchema, required=True)
    format = fields.String(
        load_default="docker_config",
        validate=validate.OneOf(["docker_config", "kubernetes_secret", "basic"]),
        metadata={"description": "`basic` is for exactly one image."},
    )
    allow_anonymous = fields.Boolean(
        load_default=False,
        metadata={
            "description": "Leave out images of registries for which no credential is kept, in place of 404: "
            "they are then pulled without one, and that is recorded."
        },
    )

    short_lived = fields.Boolean(
        load_default=False,
        metadata={
            "description": "Give out an access token of an hour where a Google key file is kept. Logins made "
            "of AWS keys and service principals are always of some hours."
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
            "description": "In their canonical spelling, which is the one to pull; `ghcr.io/*` where a "
            "whole registry was asked about."
        },
    )
    auth_keys = fields.List(
        fields.String(),
        metadata={
            "description": "Where it stands under `auths`: the host; or, where several credentials of one "
            "host are given out, repositories such as `ghcr.io/acme/shop`, which Kubernetes and "
            "containers-auth.json(5) take, and the Docker CLI does not."
        },
    )


class PullSecretSchema(Schema):
    """The secret, in the one format that was asked for. It is not to be kept anywhere else."""

    format = fields.String()
    docker_config = fields.Dict(metadata={"description": "A Docker config.json."})
    kubernetes_secret = fields.Dict(
        metadata={
            "description": "A Secret of type kubernetes.io/dockerconfigjson, to be applied in the workload's "
            "namespace. The same workload gets the same name. Kubernetes itself takes no identity tokens."
        }
    )
    basic = fields.Nested(
        BasicSchema, allow_none=True, metadata={"description": "null where the image is pulled without."}
    )
    credentials = fields.List(fields.Nested(IssuedCredentialSchema))
    anonymous_images = fields.List(fields.String())
    expires_at = fields.DateTime(
        allow_none=True,
        metadata={
            "description": "When the first of them ends: as their owners say, or a login that was made."
        },
    )


def blueprint(issuing: Issuing, *, fingerprint: Fingerprint) -> Blueprint:
    """`POST …/pull-secrets`. `fingerprint` is of requests under an Idempotency-Key."""
    routes = Blueprint("pull secrets", __name__, description="The secret that a deployment pulls with.")

    @routes.route("/v1/accounts/<account_id>/pull-secrets", methods=["POST"])
    @routes.arguments(PullSecretInput)
    @routes.response(200, PullSecretSchema)
    @requires(TokenScope.SECRETS_ISSUE, project_in_body=True)
    def issue_pull_secret(body: Body, account_id: str) -> Response:
        """Give out what a workload needs to pull its images; it is recorded first.

        All images or none. An Idempotency-Key spares the second record: the secret is never stored under it,
        but read anew, and what was restricted or removed since is not given out again.
        """
        authorise_project(body["project_id"])
        asked = wanted(body)
        given = issuing.issue(command_request(account_id, fingerprint), asked)
        headers = {**command_headers(given.issuance_id, given.version), "Cache-Control": "no-store"}
        if given.replayed:
            headers["Idempotency-Replayed"] = "true"
        return json_response(_answer(account_id, asked, given), 200, headers)

    return routes


def _answer(account_id: str, asked: PullSecretWanted, given: PullSecret) -> dict[str, Any]:
    grants = [one.grant for one in given.issued]
    keys = auth_keys(grants)
    ends = [
        end
        for one in given.issued
        for end in (one.expires_at, one.grant.candidate.expires_at)
        if end is not None
    ]
    return {
        "format": asked.format,
        asked.format: _secret(account_id, asked, given),
        "credentials": [
            {
                "credential_id": grant.candidate.credential_id,
                "secret_version": grant.candidate.secret_version,
                "images": [str(image) for image in grant.images],
                "auth_keys": keys[grant.candidate.credential_id],
            }
            for grant in grants
        ],
        "anonymous_images": [str(image) for image in given.anonymous],
        "expires_at": min(ends, default=None),
    }


def _secret(account_id: str, asked: PullSecretWanted, given: PullSecret) -> dict[str, Any] | None:
    match asked.format:
        case "docker_config":
            return docker_config(given.issued)
        case "kubernetes_secret":
            return kubernetes_secret(
                given.issued, account_id=account_id, project_id=asked.project_id, workload=asked.workload
            )
        case "basic":
            return basic(given.issued[0].login) if given.issued else None
