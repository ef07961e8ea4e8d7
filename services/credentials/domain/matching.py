"""Which credential of an account a project may use for an image, and why; of every other one, why not. Pure.

Candidates are the account's credentials for the image's registry host, compared in its canonical spelling.

A candidate is eligible if it is for the repository, the project and the operation, and has not expired. The
first rule that it breaks is its reason, in this order:

    other_repository    it has repository prefixes, and none of them covers the image
    restricted          it is for other projects
    no_pull_scope       (no_push_scope) its owner says that it is not for that
    expired             its end, as its owner said it, has come

A prefix covers what it names and what is below it, by whole segments of the path: `acme` covers `acme` and
`acme/shop`, never `acme2/shop`. A final slash makes no difference. An official image of Docker Hub is below
`library`.

One of the eligible is selected. It is before every other one by the first of these that tells them apart:

    1. the longer prefix that covers the image; one without prefixes has none, and comes last
    2. how its last verification ended: verified; not known (pending, unverifiable, unreachable); failed.
       A failed one stays eligible, because the registry decides, not our memory of it
    3. the one that was added later
    4. the lower id, so that the answer is always the same

A client that knows hosts only asks about a whole registry. There a credential with prefixes is for another
repository, unless it is the only one that the project may use: then nothing else can be meant. Where there is
none without prefixes to be used, prefixes are the last reason that is given.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from operator import attrgetter
from typing import Literal, NamedTuple
from uuid import UUID

from contracts.credential_events import Restrictions, Scope
from contracts.verdicts import VerificationStatus
from registries.image_reference import ImageReference
from registries.repository_prefixes import covering_prefix
from registries.whole_registry import WholeRegistry

Operation = Literal["pull", "push"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class IneligibleReason(StrEnum):
    """Why a candidate is not eligible."""

    OTHER_REPOSITORY = "other_repository"
    RESTRICTED = "restricted"
    NO_PULL_SCOPE = "no_pull_scope"
    NO_PUSH_SCOPE = "no_push_scope"
    EXPIRED = "expired"


class RankReason(StrEnum):
    """Where an eligible candidate stands beside the selected one."""

    SELECTED = "selected"
    LESS_SPECIFIC = "less_specific"
    NOT_VERIFIED = "not_verified"
    VERIFICATION_FAILED = "verification_failed"
    OLDER = "older"
    HIGHER_ID = "higher_id"


class SelectionReason(StrEnum):
    """What put the selected candidate before the next one."""

    ONLY_ELIGIBLE = "only_eligible"
    MOST_SPECIFIC = "most_specific"
    BEST_VERIFIED = "best_verified"
    NEWEST = "newest"
    LOWEST_ID = "lowest_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A credential for the image's registry. `version` is its stream's: what is decided is decided on that.

    `verification` is about the secret as it is now.
    """

    credential_id: UUID
    version: int
    name: str
    registry_host: str
    repository_prefixes: tuple[str, ...]
    scope: Scope
    restrictions: Restrictions
    secret_version: int
    expires_at: datetime | None
    verification: VerificationStatus
    added_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedUse:
    """What a credential is wanted for, by which project, and when."""

    project_id: str
    operation: Operation
    at: datetime


@dataclass(frozen=True, slots=True)
class Judged:
    """A candidate and what was found about it."""

    candidate: Candidate
    reason: IneligibleReason | RankReason

    @property
    def eligible(self) -> bool:
        return isinstance(self.reason, RankReason)


@dataclass(frozen=True, slots=True)
class Selection:
    """The candidate to use, and what put it there."""

    candidate: Candidate
    reason: SelectionReason


@dataclass(frozen=True, slots=True)
class Match:
    """What was selected, if anything, and every candidate: the eligible ones in order, then the others."""

    selection: Selection | None
    candidates: tuple[Judged, ...]


class _Eligible(NamedTuple):
    """`order` is the rules, one by one; the lowest is selected."""

    candidate: Candidate
    order: tuple[int, int, timedelta, UUID]


_RULES = (
    SelectionReason.MOST_SPECIFIC,
    SelectionReason.BEST_VERIFIED,
    SelectionReason.NEWEST,
    SelectionReason.LOWEST_ID,
)


def match(image: ImageReference | WholeRegistry, candidates: Iterable[Candidate], use: RequestedUse) -> Match:
    """Select by the rules above. Candidates of other hosts are passed over; their order is of no matter."""
    eligible: list[_Eligible] = []
    others: list[Judged] = []
    for candidate in candidates:
        if candidate.registry_host != image.registry_host:
            continue
        prefix = covering_prefix(candidate.repository_prefixes, image.repository)
        why_not = IneligibleReason.OTHER_REPOSITORY if prefix is None else _why_not(candidate, use)
        if prefix is not None and why_not is None:
            eligible.append(_eligible(candidate, prefix))
        elif why_not is not None:
            others.append(Judged(candidate, why_not))
    if not eligible and isinstance(image, WholeRegistry):
        eligible, others = _only_usable(others, use)
    eligible.sort(key=attrgetter("order"))
    others.sort(key=lambda judged: _age_order(judged.candidate))
    if not eligible:
        return Match(None, tuple(others))
    first, *rest = eligible
    reason = _why_before(first, rest[0]) if rest else SelectionReason.ONLY_ELIGIBLE
    return Match(
        Selection(first.candidate, reason),
        (
            Judged(first.candidate, RankReason.SELECTED),
            *(Judged(other.candidate, _standing(first, other)) for other in rest),
            *others,
        ),
    )


def _only_usable(found: list[Judged], use: RequestedUse) -> tuple[list[_Eligible], list[Judged]]:
    """The one that nothing but its prefixes speaks against, and the others; none where there are several."""
    others = [
        Judged(judged.candidate, _why_not(judged.candidate, use) or IneligibleReason.OTHER_REPOSITORY)
        for judged in found
    ]
    usable = [judged for judged in others if judged.reason is IneligibleReason.OTHER_REPOSITORY]
    if len(usable) != 1:
        return [], others
    others.remove(usable[0])
    return [_eligible(usable[0].candidate, "")], others


def _eligible(candidate: Candidate, prefix: str) -> _Eligible:
    # Prefixes that cover the same image are prefixes of one another: the longer text has more segments.
    return _Eligible(
        candidate, (-len(prefix), _verification_order(candidate.verification), *_age_order(candidate))
    )


def _why_not(candidate: Candidate, use: RequestedUse) -> IneligibleReason | None:
    if candidate.restrictions.restricted and use.project_id not in candidate.restrictions.projects:
        return IneligibleReason.RESTRICTED
    if use.operation == "pull" and not candidate.scope.pull:
        return IneligibleReason.NO_PULL_SCOPE
    if use.operation == "push" and not candidate.scope.push:
        return IneligibleReason.NO_PUSH_SCOPE
    if candidate.expires_at is not None and candidate.expires_at <= use.at:
        return IneligibleReason.EXPIRED
    return None


def _verification_order(status: VerificationStatus) -> int:
    if status is VerificationStatus.VERIFIED:
        return 0
    return 2 if status is VerificationStatus.FAILED else 1


def _age_order(candidate: Candidate) -> tuple[timedelta, UUID]:
    return (_EPOCH - candidate.added_at, candidate.credential_id)


def _why_before(first: _Eligible, other: _Eligible) -> SelectionReason:
    """The first rule that tells them apart; ids always do."""
    for mine, theirs, why in zip(first.order, other.order, _RULES, strict=True):
        if mine != theirs:
            return why
    return SelectionReason.LOWEST_ID


def _standing(selected: _Eligible, other: _Eligible) -> RankReason:
    match _why_before(selected, other):
        case SelectionReason.MOST_SPECIFIC:
            return RankReason.LESS_SPECIFIC
        case SelectionReason.BEST_VERIFIED if other.candidate.verification is VerificationStatus.FAILED:
            return RankReason.VERIFICATION_FAILED
        case SelectionReason.BEST_VERIFIED:
            return RankReason.NOT_VERIFIED
        case SelectionReason.NEWEST:
            return RankReason.OLDER
        case _:
            return RankReason.HIGHER_ID
