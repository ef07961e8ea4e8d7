"""The response of `POST …/pull-secrets`, with the secret or, of a dry run, without it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from marshmallow import Schema, fields

from credentials.application.issuance import PullSecret
from credentials.domain.issuance import Grant, Image, PullSecretRequest
from credentials.domain.pull_secret_formats import auth_keys, basic, docker_config, kubernetes_secret


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
    dry_run = fields.Boolean(metadata={"description": "`true`, only in a dry run, which has no secret."})


def issued_body(account_id: str, wanted: PullSecretRequest, pull_secret: PullSecret) -> dict[str, Any]:
    """Return the response with the secret."""
    body = decision_body(
        wanted,
        [one.grant for one in pull_secret.issued],
        pull_secret.anonymous,
        [one.expires_at for one in pull_secret.issued],
    )
    return {**body, wanted.format: _secret(account_id, wanted, pull_secret)}


def decision_body(
    wanted: PullSecretRequest,
    grants: Sequence[Grant],
    anonymous: Sequence[Image],
    expiries: Sequence[datetime | None] = (),
) -> dict[str, Any]:
    """Return the response without the secret. `expiries` are those of created logins."""
    keys = auth_keys(grants)
    known = [*expiries, *(grant.candidate.expires_at for grant in grants)]
    return {
        "format": wanted.format,
        "credentials": [
            {
                "credential_id": grant.candidate.credential_id,
                "secret_version": grant.candidate.secret_version,
                "images": [str(image) for image in grant.images],
                "auth_keys": keys[grant.candidate.credential_id],
            }
            for grant in grants
        ],
        "anonymous_images": [str(image) for image in anonymous],
        "expires_at": min((expiry for expiry in known if expiry is not None), default=None),
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
