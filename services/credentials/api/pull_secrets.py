"""`POST …/pull-secrets`: the only route that returns secrets, after their issuance is recorded."""

from typing import Any, get_args

from flask import Response
from marshmallow import fields, validate

from chassis.authentication.tokens import TokenScope
from chassis.bounded_list import BoundedList
from chassis.invalid_input import FieldProblem, InvalidInput
from chassis.web.authentication import authorise_project, authorise_scope, requires
from chassis.web.blueprint import Blueprint
from chassis.web.described import COMMAND, IDEMPOTENT, VERSIONED, describes
from chassis.web.responses import json_response
from contracts.issuance_events import MAX_IMAGES, Operation
from contracts.schemas import WorkloadSchema
from credentials.api.allow_anonymous import AllowAnonymous
from credentials.api.commands import RequestFingerprint, command_headers, command_request, meaning
from credentials.api.credential_choice import CredentialChoice, choice_of
from credentials.api.dry_run import DryRunArguments
from credentials.api.pull_secret_response import PullSecretSchema, decision_body, issued_body
from credentials.api.requested_images import images_named, names_as_written, requested_images
from credentials.api.requested_workload import requested_workload
from credentials.application.issuance import Issuer
from credentials.domain import values
from credentials.domain.issuance import Client, PullSecretRequest

Body = dict[str, Any]

_SCOPES: dict[Operation, TokenScope] = {
    "pull": TokenScope.SECRETS_ISSUE,
    "push": TokenScope.SECRETS_ISSUE_PUSH,
}


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
    operation = fields.String(
        load_default="pull",
        validate=validate.OneOf(get_args(Operation)),
        metadata={
            "description": "`push` is for builders. It needs the scope `secrets:issue_push`, and a "
            "credential whose scope has `push`."
        },
    )
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
    allow_partial = fields.Boolean(
        load_default=False,
        metadata={
            "description": "If images are refused, issue the secret for the others. `results` in the "
            "response has the decision about each image. If all are refused, so is the request."
        },
    )
    short_lived = fields.Boolean(
        load_default=False,
        metadata={
            "description": "Issue an access token that is valid for an hour in place of a Google key file. "
            "Logins created from AWS keys and service principals are always valid for some hours."
        },
    )


def blueprint(issuer: Issuer, *, request_fingerprint: RequestFingerprint) -> Blueprint:
    """Return the route of pull secrets. `request_fingerprint` hashes requests with an Idempotency-Key."""
    routes = Blueprint("pull secrets", __name__, description="The secret that a deployment pulls with.")

    @routes.route("/v1/accounts/<account_id>/pull-secrets", methods=["POST"])
    @routes.arguments(PullSecretInput)
    @routes.arguments(DryRunArguments, location="query")
    @routes.response(200, PullSecretSchema)
    @requires(
        TokenScope.SECRETS_ISSUE,
        TokenScope.SECRETS_ISSUE_PUSH,
        project_in_body=True,
        images_of=images_named,
    )
    @describes(
        COMMAND,
        IDEMPOTENT,
        VERSIONED,
        sends_refused=["ETag", "Regcred-Position"],
        problems=[
            "credential_not_found",
            "no_matching_credential",
            "no_eligible_credential",
            "secret_unreadable",
            "login_refused",
            "login_unavailable",
            "one_login_per_host",
            "format_not_possible",
            "credential_state_damaged",
        ],
        example={
            "images": ["ghcr.io/acme/shop:1.4"],
            "project_id": "shop",
            "workload": {"kind": "deployment", "name": "storefront"},
            "format": "kubernetes_secret",
        },
    )
    def issue_pull_secret(body: Body, arguments: Body, account_id: str) -> Response:
        """Issue the secret that a workload needs to pull, or a builder to push, its images.

        It is recorded first. Either every image gets a credential, or none, unless the caller allows less. A
        repeated Idempotency-Key writes no second record, but the request is decided again: a credential that
        was restricted or removed since is not issued.

        A dry run has the decision, without a secret. It does not read the secret, so it does not find that it
        is lost, that a cloud refuses it, or that it has no password.
        """
        authorise_scope(_SCOPES[body["operation"]], project_id=body["project_id"])
        authorise_project(body["project_id"])
        wanted = _wanted(body)
        request = command_request(
            account_id, request_fingerprint, meaning(PullSecretInput, body), **arguments
        )
        if request.dry_run:
            decided = issuer.decided(request, wanted)
            return json_response({**decision_body(wanted, decided), "dry_run": True})
        pull_secret = issuer.issue(request, wanted)
        headers = {
            **command_headers(pull_secret.issuance_id, pull_secret.version, pull_secret.version),
            "Cache-Control": "no-store",
        }
        if pull_secret.replayed:
            headers["Idempotency-Replayed"] = "true"
        return json_response(issued_body(account_id, wanted, pull_secret), 200, headers)

    return routes


def _wanted(body: Body) -> PullSecretRequest:
    """Parse the body. Raises `InvalidInput` with every problem."""
    images, problems = requested_images(body)
    try:
        values.project_id(body["project_id"])
    except InvalidInput as error:
        problems.extend(error.problems)
    workload, wrong = requested_workload(body["workload"])
    problems.extend(wrong)
    if body["format"] == "basic" and not problems and len(set(images)) > 1:
        detail = "username and password are only issued for one image; request a docker_config"
        problems.append(FieldProblem("/images", "one_image", detail))
    values.raise_all(problems)
    return PullSecretRequest(
        images=tuple(images),
        project_id=body["project_id"],
        workload=workload,
        format=body["format"],
        operation=body["operation"],
        allow_anonymous=body["allow_anonymous"],
        short_lived=body["short_lived"],
        chosen=choice_of(body),
        client=body["client"],
        allow_partial=body["allow_partial"],
        as_written=names_as_written(body, images),
    )
