"""Decide a request for a pull secret: which credential is issued for which images. Pure.

If one image is refused, no secret is issued. The only exception is an image of a registry for which the
account has no credential, if the caller sets `allow_anonymous`: it is pulled without a login. If the account
has a credential, but not for this project or image, pulling without a login would hide a mistake.

`pull_secret_formats` has the formats in which a secret is issued.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from contracts.issuance_events import (
    MAX_REFUSED_CANDIDATES,
    RefusalReason,
    RefusedCandidate,
    SecretFormat,
    SecretIssued,
    SecretRefusedV2,
    Workload,
)
from credentials.domain.errors import Refused
from registries.image_reference import ImageReference
from registries.matching import Candidate, Judged, RequestedUse, match
from registries.whole_registry import WholeRegistry
from registries.whole_repository import WholeRepository

Image = ImageReference | WholeRepository | WholeRegistry


@dataclass(frozen=True, slots=True, kw_only=True)
class PullSecretRequest:
    """A request for a pull secret. An image may occur twice. A whole repository or registry is alone."""

    images: tuple[Image, ...]
    project_id: str
    workload: Workload
    format: SecretFormat
    allow_anonymous: bool
    short_lived: bool = False  # issue a token of one hour in place of a Google key file
    chosen: UUID | str | None = None  # id or name of the credential for the images of its registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A credential whose secret is issued, and its images."""

    candidate: Candidate
    images: tuple[Image, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An image without a secret. `index` is its place in the request."""

    index: int
    image: Image
    reason: RefusalReason
    candidates: tuple[Judged, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuancePlan:
    """The decision. Nothing is issued if there are `refusals`. `anonymous` images do not prevent it."""

    grants: tuple[Grant, ...]
    refusals: tuple[Refusal, ...]
    anonymous: tuple[Refusal, ...]


class NotIssuable(Refused):
    """No secret can be issued for these images."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        super().__init__("no secret was issued")
        self.refusals = refusals


class NotIssued(NotIssuable):
    """No secret was issued. The issuance with this id and version records that."""

    def __init__(self, refusals: Sequence[Refusal], *, issuance_id: UUID, version: int) -> None:
        super().__init__(refusals)
        self.issuance_id = issuance_id
        self.version = version


def plan(wanted: PullSecretRequest, candidates: Iterable[Candidate], use: RequestedUse) -> IssuancePlan:
    """Match every image. Grants are in the order of their first image."""
    known = list(candidates)
    grants: dict[UUID, Grant] = {}
    refusals: list[Refusal] = []
    anonymous: list[Refusal] = []
    for image in dict.fromkeys(wanted.images):
        index = wanted.images.index(image)
        found = match(image, known, use)
        if found.selection is not None:
            candidate = found.selection.candidate
            earlier = grants.get(candidate.credential_id)
            images = (*earlier.images, image) if earlier else (image,)
            grants[candidate.credential_id] = Grant(candidate=candidate, images=images)
        elif found.candidates:
            refusals.append(
                Refusal(
                    index=index, image=image, reason="no_eligible_credential", candidates=found.candidates
                )
            )
        else:
            refusal = Refusal(index=index, image=image, reason="no_matching_credential", candidates=())
            (anonymous if wanted.allow_anonymous else refusals).append(refusal)
    return IssuancePlan(grants=tuple(grants.values()), refusals=tuple(refusals), anonymous=tuple(anonymous))


def events_of(
    plan: IssuancePlan, wanted: PullSecretRequest, issuance_id: UUID
) -> list[SecretIssued | SecretRefusedV2]:
    """Return the events of an issuance. There is at least one: each image is in one."""
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
    refusals: Iterable[Refusal], wanted: PullSecretRequest, issuance_id: UUID, *, anonymous: bool
) -> list[SecretRefusedV2]:
    """Return one event for all images of a registry that are refused for the same reason."""
    grouped: dict[tuple[str, RefusalReason], list[Refusal]] = {}
    for refusal in refusals:
        grouped.setdefault((refusal.image.registry_host, refusal.reason), []).append(refusal)
    return [
        SecretRefusedV2(
            issuance_id=issuance_id,
            project_id=wanted.project_id,
            workload=wanted.workload,
            registry_host=registry_host,
            images=tuple(str(refusal.image) for refusal in alike),
            reason=reason,
            anonymous=anonymous,
            candidates=_refused_candidates(alike),
        )
        for (registry_host, reason), alike in grouped.items()
    ]


def _refused_candidates(refusals: Iterable[Refusal]) -> tuple[RefusedCandidate, ...]:
    found = dict.fromkeys(
        RefusedCandidate(credential_id=judged.candidate.credential_id, reason=judged.reason)
        for refusal in refusals
        for judged in refusal.candidates[:MAX_REFUSED_CANDIDATES]
    )
    return tuple(found)[:MAX_REFUSED_CANDIDATES]
