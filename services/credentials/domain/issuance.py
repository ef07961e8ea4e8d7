"""Decide a request for a pull secret: which credential is issued for which images. Pure.

If one image is refused, no secret is issued, unless the caller asks for the others with `allow_partial`. An
image is not refused if the caller allows it to be pulled without a login: by `allow_anonymous`, images of
registries for which the account has no credential; by its value `not_eligible`, also images for which it has
one that the project may not use. The latter could hide a mistake, so that the caller has to say it, and both
are recorded as refusals. An image for whose registry the caller chose a credential is never anonymous.

`pull_secret_formats` has the formats in which a secret is issued.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Literal
from uuid import UUID

from contracts.issuance_events import (
    Operation,
    RefusalReason,
    SecretFormat,
    Workload,
)
from credentials.domain.errors import Refused
from registries.image_reference import ImageReference
from registries.matching import Candidate, Judged, Match, RequestedUse, match
from registries.mirrors import mirror_selections
from registries.whole_registry import WholeRegistry
from registries.whole_repository import WholeRepository

Image = ImageReference | WholeRepository | WholeRegistry
Client = Literal["docker", "podman", "kubernetes", "crane"]
# `True`: images of registries without a credential. `not_eligible`: also those without an eligible one.
Anonymous = bool | Literal["not_eligible"]
CLIENT_OF_HOSTS: Client = "docker"  # the others look up repositories as well


@dataclass(frozen=True, slots=True, kw_only=True)
class PullSecretRequest:
    """A request for a pull secret. An image may occur twice. A whole repository or registry is alone.

    `as_written` has the names that clients look up for images whose host the request writes in a spelling of
    its own (`registries.image_reference.name_as_written`). `client` is the one that reads the secret, if the
    caller names it.
    """

    images: tuple[Image, ...]
    project_id: str
    workload: Workload
    format: SecretFormat
    operation: Operation = "pull"
    allow_anonymous: Anonymous
    short_lived: bool = False  # issue a token of one hour in place of a Google key file
    chosen: UUID | str | None = None  # id or name of the credential for the images of its registry
    client: Client | None = None
    allow_partial: bool = False  # issue what can be issued if other images are refused
    as_written: Mapping[Image, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A credential whose secret is issued for a host.

    `as_written` has other names under which clients look up its images.
    """

    candidate: Candidate
    registry_host: str
    images: tuple[Image, ...]
    as_written: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An image without a secret. `index` is its place in the request."""

    index: int
    image: Image
    reason: RefusalReason
    candidates: tuple[Judged, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuancePlan:
    """The decision about each image. `anonymous` images do not prevent the others from being issued."""

    grants: tuple[Grant, ...]
    refusals: tuple[Refusal, ...]
    anonymous: tuple[Refusal, ...]

    def issuable(self, *, partial: bool) -> bool:
        """Whether something is issued: everything, or with `partial` at least one image can be pulled."""
        return bool(self.grants or self.anonymous) if partial else not self.refusals


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
    grants: dict[tuple[UUID, str], Grant] = {}
    refusals: list[Refusal] = []
    anonymous: list[Refusal] = []
    for image in dict.fromkeys(wanted.images):
        index = wanted.images.index(image)
        found = match(image, known, use)
        mirrors = mirror_selections(image, known, use) if _uses_mirrors(wanted) else {}
        own = {image.registry_host: found.selection} if found.selection else {}
        for host, selection in (own | mirrors).items():
            key = selection.candidate.credential_id, host
            earlier = grants.get(key, Grant(candidate=selection.candidate, registry_host=host, images=()))
            grants[key] = replace(
                earlier,
                images=(*earlier.images, image),
                as_written=(
                    *earlier.as_written,
                    *(wanted.as_written.get(image, ()) if host == image.registry_host else ()),
                ),
            )
        if own or mirrors:
            continue
        refusal = Refusal(
            index=index,
            image=image,
            reason="no_eligible_credential" if found.candidates else "no_matching_credential",
            candidates=found.candidates,
        )
        (anonymous if _is_allowed(wanted, found, use) else refusals).append(refusal)
    found_plan = IssuancePlan(
        grants=tuple(grants.values()), refusals=tuple(refusals), anonymous=tuple(anonymous)
    )
    return _without(found_plan, wanted, _not_found_by_client(wanted, found_plan.grants))


def _is_allowed(wanted: PullSecretRequest, found: Match, use: RequestedUse) -> bool:
    """Whether the caller allows an image without a selection to be pulled without a login.

    Not if it has chosen one of the candidates: then it wants that one, and no anonymous pull.
    """
    if not found.candidates:
        return bool(wanted.allow_anonymous)
    is_chosen = any(judged.candidate.credential_id == use.chosen for judged in found.candidates)
    return wanted.allow_anonymous == "not_eligible" and not is_chosen


def without(
    plan: IssuancePlan, wanted: PullSecretRequest, failed: Mapping[UUID, RefusalReason]
) -> IssuancePlan:
    """Return the plan with all images of these credentials refused."""
    return _without(plan, wanted, lambda grant: failed.get(grant.candidate.credential_id))


def _without(
    plan: IssuancePlan, wanted: PullSecretRequest, reason_of: Callable[[Grant], RefusalReason | None]
) -> IssuancePlan:
    grants = tuple(grant for grant in plan.grants if reason_of(grant) is None)
    issued = {image for grant in grants for image in grant.images}  # by its registry, or by a mirror
    refused = {
        image: Refusal(index=wanted.images.index(image), image=image, reason=reason, candidates=())
        for grant in reversed(plan.grants)
        if (reason := reason_of(grant))
        for image in grant.images
        if image not in issued
    }
    return IssuancePlan(
        grants=grants,
        refusals=tuple(sorted((*plan.refusals, *refused.values()), key=attrgetter("index"))),
        anonymous=plan.anonymous,
    )


def host_grants(grants: Iterable[Grant]) -> dict[str, Grant | None]:
    """Return for each host the grant that has the login of the whole host, if one has it.

    It is the only grant of the host, or the one of the credential without repository prefixes. There is at
    most one of these: their rank does not depend on the image.
    """
    hosts: dict[str, list[Grant]] = {}
    for grant in grants:
        hosts.setdefault(grant.registry_host, []).append(grant)
    return {
        host: same_host[0]
        if len(same_host) == 1
        else next((grant for grant in same_host if grant.candidate.of_all_repositories), None)
        for host, same_host in hosts.items()
    }


def _uses_mirrors(wanted: PullSecretRequest) -> bool:
    """Whether the client can look up the login of a mirror by its host.

    Nobody pushes to a mirror. Docker has no logins for its mirrors, and crane has no mirrors. `basic` has no
    key for the host, so that the client would send the login to the registry of the image.
    """
    return (
        wanted.operation == "pull"
        and wanted.format != "basic"
        and wanted.client in {None, "podman", "kubernetes"}
    )


def _not_found_by_client(
    wanted: PullSecretRequest, grants: tuple[Grant, ...]
) -> Callable[[Grant], RefusalReason | None]:
    """Return why the client does not look up a grant, if it does not. `basic` has one login, and no keys."""
    if wanted.client != CLIENT_OF_HOSTS or wanted.format == "basic":
        return lambda _: None
    of_host = host_grants(grants)
    return lambda grant: None if of_host[grant.registry_host] is grant else "one_login_per_host"
