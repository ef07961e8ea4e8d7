"""The response of `POST …/pull-secrets`, with the secret or, of a dry run, without it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from marshmallow import Schema, fields, validate

from chassis.web.openapi import SOMETIMES
from credentials.api.refusals import of_image, pointer_of
from credentials.application.issuance import PullSecret
from credentials.domain.issuance import IssuancePlan, PullSecretRequest
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
    registry_host = fields.String(
        metadata={"description": "The host that it is issued for. One credential may be for several."}
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


class ResultSchema(Schema):
    """The decision about an image. `pointer` is its place in the request."""

    pointer = fields.String()
    image = fields.String()
    result = fields.String(validate=validate.OneOf(["issued", "anonymous", "refused"]))
    credential_id = fields.UUID(allow_none=True, metadata={"description": "null unless it is issued."})
    code = fields.String(allow_none=True, metadata={"description": "Why it has no credential."})
    detail = fields.String(allow_none=True)


class PullSecretSchema(Schema):
    """The secret, in the requested format. Do not store it anywhere else."""

    format = fields.String()
    docker_config = fields.Dict(metadata={"description": "A Docker config.json.", **SOMETIMES})
    kubernetes_secret = fields.Dict(
        metadata={
            "description": "A Secret of type kubernetes.io/dockerconfigjson, to apply in the workload's "
            "namespace. The same workload gets the same name. Kubernetes does not support identity tokens.",
            **SOMETIMES,
        }
    )
    basic = fields.Nested(
        BasicSchema,
        allow_none=True,
        metadata={"description": "null if the image is pulled without a credential.", **SOMETIMES},
    )
    credentials = fields.List(fields.Nested(IssuedCredentialSchema))
    anonymous_images = fields.List(fields.String())
    expires_at = fields.DateTime(
        allow_none=True,
        metadata={"description": "When the first expires: the expiry of a credential or of a created login."},
    )
    results = fields.List(
        fields.Nested(ResultSchema),
        metadata={"description": "The decision about each image, only with `allow_partial`.", **SOMETIMES},
    )
    dry_run = fields.Boolean(
        metadata={"description": "`true`, only in a dry run, which has no secret.", **SOMETIMES}
    )


def issued_body(account_id: str, wanted: PullSecretRequest, pull_secret: PullSecret) -> dict[str, Any]:
    """Return the response with the secret."""
    body = decision_body(wanted, pull_secret.decided, [one.expires_at for one in pull_secret.issued])
    return {**body, wanted.format: _secret(account_id, wanted, pull_secret)}


def decision_body(
    wanted: PullSecretRequest, decided: IssuancePlan, expiries: Sequence[datetime | None] = ()
) -> dict[str, Any]:
    """Return the response without the secret. `expiries` are those of created logins."""
    keys = auth_keys(decided.grants)
    known = [*expiries, *(grant.candidate.expires_at for grant in decided.grants)]
    return {
        "format": wanted.format,
        "credentials": [
            {
                "credential_id": grant.candidate.credential_id,
                "secret_version": grant.candidate.secret_version,
                "images": [str(image) for image in grant.images],
                "registry_host": grant.registry_host,
                "auth_keys": of_grant,
            }
            for grant, of_grant in zip(decided.grants, keys, strict=True)
        ],
        "anonymous_images": [str(refusal.image) for refusal in decided.anonymous],
        "expires_at": min((expiry for expiry in known if expiry is not None), default=None),
        **({"results": _results(wanted, decided)} if wanted.allow_partial else {}),
    }


def _results(wanted: PullSecretRequest, decided: IssuancePlan) -> list[dict[str, Any]]:
    """Return the decision about each image, in the order of the request and once for each."""
    # An image can also have the login of a mirror. That of its registry comes first.
    issued = {
        image: grant.candidate.credential_id for grant in reversed(decided.grants) for image in grant.images
    }
    without = {refusal.image: ("anonymous", of_image(refusal)) for refusal in decided.anonymous} | {
        refusal.image: ("refused", of_image(refusal)) for refusal in decided.refusals
    }
    return [
        {
            "pointer": pointer_of(image, wanted.images.index(image)),
            "image": str(image),
            "result": without[image][0] if image in without else "issued",
            "credential_id": issued.get(image),
            "code": without[image][1].code if image in without else None,
            "detail": without[image][1].detail if image in without else None,
        }
        for image in dict.fromkeys(wanted.images)
    ]


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
