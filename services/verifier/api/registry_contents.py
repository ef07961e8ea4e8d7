"""`GET …/credentials/{id}/repositories/…/tags` and `…/images`: tags and images that a credential can read.

The secret is sent to its own registry and is not returned to the caller. No pull secret is issued, so these
requests write a log line and no event.
"""

from dataclasses import asdict
from typing import Any
from uuid import UUID

import structlog
from flask import Response
from marshmallow import Schema, fields, validate

from chassis.authentication.tokens import TokenScope
from chassis.runtime.slots import Slots
from chassis.web.authentication import principal, requires
from chassis.web.blueprint import Blueprint
from chassis.web.described import PAGES, describes
from chassis.web.responses import json_response
from registries.input.image import read_image
from verifier.image_browser import ImageBrowser

log = structlog.get_logger()

Arguments = dict[str, Any]

MAX_LIMIT = 1000
_NO_IMAGE: dict[str, Any] = {"digest": None, "media_type": None, "size": None, "platforms": []}
_PROBLEMS = (
    "credential_not_found",
    "no_pull_scope",
    "other_repository",
    "verification_failed",
    "secret_unreadable",
    "too_many_logins",
    "login_held_back",
    "repository_not_found",
    "registry_refused",
    "registry_unreachable",
    "credential_changing",
    "secret_store_unavailable",
)
_CREDENTIAL = "/v1/accounts/<account_id>/credentials/<uuid:credential_id>"


class TagArguments(Schema):
    limit = fields.Integer(load_default=100, validate=validate.Range(1, MAX_LIMIT))
    cursor = fields.String(load_default=None, validate=validate.Length(max=2048))


class TagSchema(Schema):
    name = fields.String()


class TagsResponse(Schema):
    """Tags of a repository, in the order of the registry, or by name if it has no pages."""

    items = fields.List(fields.Nested(TagSchema))
    next_cursor = fields.String(allow_none=True)


class ImageArguments(Schema):
    reference = fields.String(required=True, metadata={"example": "ghcr.io/acme/shop:1.4"})


class PlatformSchema(Schema):
    os = fields.String()
    architecture = fields.String()
    variant = fields.String(allow_none=True)
    digest = fields.String()


class ImageResponse(Schema):
    """An image as the registry has it now. If `exists` is false, the image may be hidden from this login."""

    reference = fields.String(metadata={"description": "The canonical reference."})
    exists = fields.Boolean()
    digest = fields.String(allow_none=True)
    media_type = fields.String(allow_none=True)
    size = fields.Integer(
        allow_none=True,
        metadata={"description": "Bytes that a pull downloads; null for an index, whose platforms differ."},
    )
    platforms = fields.List(fields.Nested(PlatformSchema), metadata={"description": "Platforms of an index."})


def blueprint(browser: ImageBrowser, slots: Slots) -> Blueprint:
    """List tags and images of a credential's registry."""
    routes = Blueprint("registries", __name__, description="Read a registry with a credential.")

    @routes.route(f"{_CREDENTIAL}/repositories/<path:repository>/tags")
    @routes.arguments(TagArguments, location="query")
    @routes.response(200, TagsResponse)
    @requires(TokenScope.CREDENTIALS_READ)
    @describes(PAGES, problems=_PROBLEMS)
    def list_tags(arguments: Arguments, account_id: str, credential_id: UUID, repository: str) -> Response:
        """List the tags of a repository, as the registry returns them now."""
        with slots.one(account_id):
            page = browser.tags(
                account_id,
                credential_id,
                repository,
                limit=arguments["limit"],
                after=arguments["cursor"],
            )
        _log_read("tags", account_id, credential_id)
        return json_response({"items": [{"name": tag} for tag in page.tags], "next_cursor": page.next})

    @routes.route(f"{_CREDENTIAL}/images")
    @routes.arguments(ImageArguments, location="query")
    @routes.response(200, ImageResponse)
    @requires(TokenScope.CREDENTIALS_READ)
    @describes(problems=_PROBLEMS)
    def show_image(arguments: Arguments, account_id: str, credential_id: UUID) -> Response:
        """Look up an image: whether it exists, its digest and its platforms.

        This requests the manifest, which Docker Hub counts as a pull.
        """
        image = read_image(arguments["reference"], "/reference")
        with slots.one(account_id):
            found = browser.image(account_id, credential_id, image)
        _log_read("image", account_id, credential_id)
        description = asdict(found) if found else _NO_IMAGE
        return json_response({"reference": str(image), "exists": found is not None, **description})

    return routes


def _log_read(what: str, account_id: str, credential_id: UUID) -> None:
    log.info(
        "browsed",
        what=what,
        account_id=account_id,
        credential_id=str(credential_id),
        principal=principal().id,
    )
