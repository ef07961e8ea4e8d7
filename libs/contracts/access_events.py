"""Requests that were refused because the caller has no right to them, each in a stream of its own.

They belong to the account that the request asked for, if that has data. Otherwise they belong to the
installation, whose account id is `*`. The service that refused the request writes them.
"""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from contracts.fields import CredentialId, Image
from eventlog.events import event

MAX_IMAGES = 10  # of one refusal; a request may name 100
MAX_ID = 255  # characters; an id that a body names may have any form
_MAX_COUNT = 2**31 - 1

RequestedId = Annotated[str, Meta(max_length=MAX_ID, description="The id that the request named.")]


@event("access.denied", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class AccessDenied:
    """A caller was refused before anything was decided. Few of a caller are recorded in a minute."""

    refusal_id: Annotated[UUID, Meta(description="The refusal; the id of its stream.")]
    method: Annotated[str, Meta(max_length=16, description="The method of the request.")]
    route: Annotated[str, Meta(max_length=255, description="The route, with the names of its parameters.")]
    reason: Annotated[
        str, Meta(max_length=64, description="The code of the problem, such as `insufficient_scope`.")
    ]
    requested_account: RequestedId | None
    project_id: RequestedId | None
    credential_id: CredentialId | None
    images: Annotated[
        tuple[Image, ...],
        Meta(
            max_length=MAX_IMAGES,
            description="The first images that a request for a pull secret or resolution named: canonical, "
            "`ghcr.io/acme/shop` for a repository, `ghcr.io/*` for a registry.",
        ),
    ]
    further_images: Annotated[
        int, Meta(ge=0, le=_MAX_COUNT, description="The number of images of the request beyond these.")
    ]
    omitted: Annotated[
        int,
        Meta(
            ge=0,
            le=_MAX_COUNT,
            description="Refusals of this caller in the minute before without an event.",
        ),
    ]
