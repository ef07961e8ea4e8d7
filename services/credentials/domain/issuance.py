"""What a request for a pull secret comes to: which credential is given out for which images. Pure; how a
secret is written down is in `pull_secret_formats`.

All or nothing: if one image is refused, no secret is given out. Only an image of a registry for which the
account keeps no credential at all may go without, and only where the caller says so (`allow_anonymous`): it
is pulled without a login. Where one is kept, but not for this project or image, going without would hide a
mistake.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from contracts.issuance_events import (
    MAX_REFUSED_CANDIDATES,
    RefusedCandidate,
    SecretFormat,
    SecretIssued,
    SecretRefused,
    Workload,
)
from credentials.domain.errors import Refused
from credentials.domain.matching import Candidate, Judged, RequestedUse, match
from registries.image_reference import ImageReference
from registries.whole_registry import WholeRegistry

Image = ImageReference | WholeRegistry
WhyRefused = Literal["no_matching_credential", "no_eligible_credential", "identity_token", "login_refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PullSecretWanted:
    """A request for a pull secret. An image may be named twice; a whole registry stands alone."""

    images: tuple[Image, ...]
    project_id: str
    workload: Workload
    format: SecretFormat
    allow_anonymous: bool
    short_lived: bool = False  # a Google key file is not given out, but a token of an hour


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A credential that is given out, and for which images."""

    candidate: Candidate
    images: tuple[Image, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An image for which nothing is given out, the `place`-th (from 0) of the request."""

    place: int
    image: Image
    reason: WhyRefused
    candidates: tuple[Judged, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuancePlan:
    """What is to be given out; `refusals` stand in its way, `anonymous` does not."""

    grants: tuple[Grant, ...]
    refusals: tuple[Refusal, ...]
    anonymous: tuple[Refusal, ...]


class NotIssued(Refused):
    """No secret was issued, which is recorded as the issuance of that id at that version."""

    def __init__(self, refusals: Sequence[Refusal], *, issuance_id: UUID, version: int) -> None:
        super().__init__("no secret was issued")
        self.refusals = refusals
        self.issuance_id = issuance_id
        self.version = version


def plan(wanted: PullSecretWanted, candidates: Iterable[Candidate], use: RequestedUse) -> IssuancePlan:
    """Match every image; grants come in the order of their first image."""
    kept = list(candidates)
    grants: dict[UUID, Grant] = {}
    refusals: list[Refusal] = []
    anonymous: list[Refusal] = []
    for image in dict.fromkeys(wanted.images):
        place = wanted.images.index(image)
        found = match(image, kept, use)
        if found.selection is not None:
            candidate = found.selection.candidate
            earlier = grants.get(candidate.credential_id)
            images = (*earlier.images, image) if earlier else (image,)
            grants[candidate.credential_id] = Grant(candidate=candidate, images=images)
        elif found.candidates:
            refusals.append(
                Refusal(
                    place=place, image=image, reason="no_eligible_credential", candidates=found.candidates
                )
            )
        else:
            refusal = Refusal(place=place, image=image, reason="no_matching_credential", candidates=())
            (anonymous if wanted.allow_anonymous else refusals).append(refusal)
    return IssuancePlan(grants=tuple(grants.values()), refusals=tuple(refusals), anonymous=tuple(anonymous))


def events_of(
    plan: IssuancePlan, wanted: PullSecretWanted, issuance_id: UUID
) -> list[SecretIssued | SecretRefused]:
    """The record of what is given out. There is at least one event: every image is in one."""
    issued = [
        SecretIssued(
            issuance_id=issuance_id,
            project_id=wanted.project_id,
            workload=wanted.workload,
            registry_host=grant.candidate.registry_host,
            images=tuple(str(image) for image in grant.images),
            credential_id=grant.candidate.credential_id,
            credential_name=grant.candidate.name,
            secret_version=grant.candidate.secret_version,
            format=wanted.format,
        )
        for grant in plan.grants
    ]
    return [*issued, *refused_events(plan.anonymous, wanted, issuance_id, anonymous=True)]


def refused_events(
    refusals: Iterable[Refusal], wanted: PullSecretWanted, issuance_id: UUID, *, anonymous: bool
) -> list[SecretRefused]:
    """The record of what is not given out, image by image."""
    return [
        SecretRefused(
            issuance_id=issuance_id,
            project_id=wanted.project_id,
            workload=wanted.workload,
            registry_host=refusal.image.registry_host,
            image=str(refusal.image),
            reason=refusal.reason,
            anonymous=anonymous,
            candidates=tuple(
                RefusedCandidate(credential_id=judged.candidate.credential_id, reason=judged.reason)
                for judged in refusal.candidates[:MAX_REFUSED_CANDIDATES]
            ),
        )
        for refusal in refusals
    ]
