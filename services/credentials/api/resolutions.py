"""`POST …/resolutions`: which credential would be used for an image, and why."""

from collections import Counter
from typing import Any

from flask import Response
from marshmallow import Schema, fields, validate

from chassis.authentication.tokens import TokenScope
from chassis.runtime.clock import now
from chassis.web.authentication import authorise_project, principal, requires
from chassis.web.blueprint import Blueprint
from chassis.web.described import describes
from chassis.web.responses import json_response
from contracts.credential_events import Restrictions
from credentials.api.credential_choice import CredentialChoice, choice_of
from credentials.api.requested_images import images_named
from credentials.application.chosen_credential import chosen_credential
from credentials.application.store import CredentialStore
from credentials.domain import values
from credentials.domain.impact import allows
from registries.image_reference import ImageReference
from registries.input.image import read_image
from registries.matching import (
    IneligibleReason,
    Match,
    RankReason,
    RequestedUse,
    Selection,
    SelectionReason,
    match,
)
from registries.mirrors import mirror_selections

Body = dict[str, Any]

MAX_CANDIDATES = 50  # listed in a response


class ResolutionInput(CredentialChoice):
    """An image that a project wants to pull or push."""

    image = fields.String(required=True, metadata={"example": "ghcr.io/acme/shop:1.4"})
    project_id = fields.String(required=True, metadata={"example": "shop"})
    operation = fields.String(load_default="pull", validate=validate.OneOf(["pull", "push"]))


class ImageSchema(Schema):
    registry_host = fields.String(metadata={"description": "`docker.io` for all names of Docker Hub."})
    repository = fields.String()
    tag = fields.String(allow_none=True)
    digest = fields.String(allow_none=True)


class SelectedSchema(Schema):
    credential_id = fields.UUID()
    reason = fields.String(
        metadata={
            "enum": list(SelectionReason),
            "description": "`chosen`, or the rule by which it ranks before the next candidate.",
        }
    )


class MirrorSchema(Schema):
    """A mirror of the registry, and the credential that would be used there."""

    registry_host = fields.String()
    credential_id = fields.UUID()


class CandidateSchema(Schema):
    credential_id = fields.UUID()
    name = fields.String()
    eligible = fields.Boolean()
    reason = fields.String(metadata={"enum": [*RankReason, *IneligibleReason]})


class ResolutionSchema(Schema):
    """The credential that would be used, and the credentials of that registry, without secrets."""

    image = fields.Nested(ImageSchema)
    selected = fields.Nested(SelectedSchema, allow_none=True)
    mirrors = fields.List(
        fields.Nested(MirrorSchema),
        metadata={"description": "The mirrors whose login a pull secret for the image also has."},
    )
    candidates = fields.List(
        fields.Nested(CandidateSchema),
        metadata={
            "description": f"The first {MAX_CANDIDATES}: eligible ones by rank, then the others. A token "
            "that is limited to projects does not see credentials that none of them may use."
        },
    )
    more_candidates = fields.Integer(
        metadata={"description": "The number of candidates that are not listed."}
    )
    reasons = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        metadata={"description": "The number of candidates for each reason, with those that are not listed."},
    )


def blueprint(store: CredentialStore) -> Blueprint:
    """`POST …/resolutions`, decided on the current state of the credentials."""
    routes = Blueprint("resolutions", __name__, description="Which credential for which image.")

    @routes.route("/v1/accounts/<account_id>/resolutions", methods=["POST"])
    @routes.arguments(ResolutionInput)
    @routes.response(200, ResolutionSchema)
    @requires(
        TokenScope.CREDENTIALS_READ,
        TokenScope.SECRETS_ISSUE,
        TokenScope.SECRETS_ISSUE_PUSH,
        project_in_body=True,
        images_of=images_named,
    )
    @describes(
        problems=["credential_not_found", "credential_state_damaged"],
        example={"image": "ghcr.io/acme/shop:1.4", "project_id": "shop"},
    )
    def resolve_image(body: Body, account_id: str) -> Response:
        """Explain which credential a project would use for an image."""
        authorise_project(body["project_id"])
        parsed = values.parse_all(
            image=lambda: read_image(body["image"]),
            project_id=lambda: values.project_id(body["project_id"]),
        )
        image = parsed["image"]
        use = RequestedUse(
            project_id=body["project_id"],
            operation=body["operation"],
            at=now(),
            chosen=chosen_credential(store, account_id, choice_of(body)),
        )
        candidates = store.candidates(account_id, [image.registry_host], mirrors=True)
        mirrors = mirror_selections(image, candidates, use) if use.operation == "pull" else {}
        found = match(image, candidates, use)
        return json_response(_resolution(image, found, mirrors, principal().projects))

    return routes


def _resolution(
    image: ImageReference, found: Match, mirrors: dict[str, Selection], projects: frozenset[str] | None
) -> dict[str, Any]:
    """The response. Candidates that none of the token's `projects` may use are counted, and not listed."""
    selection = found.selection
    listed = [one for one in found.candidates if _may_be_listed(one.candidate.restrictions, projects)]
    listed = listed[:MAX_CANDIDATES]
    return {
        "image": {
            "registry_host": image.registry_host,
            "repository": image.repository,
            "tag": image.tag,
            "digest": image.digest,
        },
        "selected": {"credential_id": selection.candidate.credential_id, "reason": selection.reason}
        if selection
        else None,
        "mirrors": [
            {"registry_host": host, "credential_id": mirror.candidate.credential_id}
            for host, mirror in mirrors.items()
        ],
        "candidates": [
            {
                "credential_id": judged.candidate.credential_id,
                "name": judged.candidate.name,
                "eligible": judged.eligible,
                "reason": judged.reason,
            }
            for judged in listed
        ],
        "more_candidates": len(found.candidates) - len(listed),
        "reasons": dict(Counter(judged.reason for judged in found.candidates)),
    }


def _may_be_listed(restrictions: Restrictions, projects: frozenset[str] | None) -> bool:
    return projects is None or any(allows(restrictions, project_id) for project_id in projects)
