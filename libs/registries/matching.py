"""Select the credential that a project uses for an image, with a reason for each candidate. Pure.

Candidates are the account's credentials for the canonical registry host of the image, which is the host of
their registry or one of their additional hosts.

The caller may choose a credential. If it is one of the candidates, the others are not eligible, and it is
used only if it is eligible itself. For images of other registries the choice has no effect.

A candidate is eligible if it is for the repository, the project and the operation, is not frozen, and has
not expired. The first rule that it violates is its reason, in this order:

    not_chosen          the caller chose another candidate
    other_repository    it has repository prefixes, and none of them covers the image
    restricted          its restrictions do not allow the project
    no_pull_scope       (no_push_scope) its declared scope does not include the operation
    frozen              it was frozen, so its secret is issued to nobody
    expired             the expiry that its owner entered has passed

A prefix covers the repository that it names and those below it, by complete segments of the path: `acme`
covers `acme` and `acme/shop`, never `acme2/shop`. A trailing slash makes no difference. An official image of
Docker Hub is below `library`.

One eligible candidate is selected. Candidates are ranked by the first rule in which they differ:

    1. the longer prefix that covers the image; a candidate without prefixes comes last
    2. the last verification: verified, then unknown (pending, unverifiable, unreachable), then failed.
       A candidate whose verification failed stays eligible: the registry may accept it now
    3. the later addition
    4. the lower id, so that the result is deterministic

A client that knows only hosts requests a whole registry. For it, a credential with prefixes counts as one for
another repository, unless it is the only one that the project may use. If no credential without prefixes is
eligible, `other_repository` is the last rule in place of the first.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from operator import attrgetter
from typing import NamedTuple
from uuid import UUID

from contracts.credential_events import Restrictions, Scope
from contracts.issuance_events import Operation
from contracts.verdicts import VerificationStatus
from registries.image_reference import ImageReference
from registries.repository_prefixes import covering_prefix
from registries.whole_registry import WholeRegistry
from registries.whole_repository import WholeRepository

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class IneligibleReason(StrEnum):
    """The reason why a candidate is not eligible."""

    NOT_CHOSEN = "not_chosen"
    OTHER_REPOSITORY = "other_repository"
    RESTRICTED = "restricted"
    NO_PULL_SCOPE = "no_pull_scope"
    NO_PUSH_SCOPE = "no_push_scope"
    FROZEN = "frozen"
    EXPIRED = "expired"


class RankReason(StrEnum):
    """The reason for the rank of an eligible candidate."""

    SELECTED = "selected"
    LESS_SPECIFIC = "less_specific"
    NOT_VERIFIED = "not_verified"
    VERIFICATION_FAILED = "verification_failed"
    OLDER = "older"
    HIGHER_ID = "higher_id"


class SelectionReason(StrEnum):
    """Why a candidate is selected: the caller chose it, or the rule by which it ranks before the next one."""

    CHOSEN = "chosen"
    ONLY_ELIGIBLE = "only_eligible"
    MOST_SPECIFIC = "most_specific"
    BEST_VERIFIED = "best_verified"
    NEWEST = "newest"
    LOWEST_ID = "lowest_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A credential for the registry of the image.

    `version` is the version of its stream, on which the decision is based. `verification` is that of its
    current secret.
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
    frozen: bool = False
    additional_hosts: tuple[str, ...] = ()
    mirror_of: tuple[str, ...] = ()

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every host that it is for."""
        return (self.registry_host, *self.additional_hosts)

    @property
    def of_all_repositories(self) -> bool:
        """Whether it is for every repository of its registry."""
        return not self.repository_prefixes


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedUse:
    """The use for which a project requests a credential, and the time of the request.

    `chosen` is the id of the credential that the caller chose, if it did.
    """

    project_id: str
    operation: Operation
    at: datetime
    chosen: UUID | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """A candidate with the reason for its rank, or why it is not eligible."""

    candidate: Candidate
    reason: IneligibleReason | RankReason

    @property
    def eligible(self) -> bool:
        return isinstance(self.reason, RankReason)


@dataclass(frozen=True, slots=True)
class Selection:
    """The candidate to use, and the rule that selected it."""

    candidate: Candidate
    reason: SelectionReason


@dataclass(frozen=True, slots=True)
class Match:
    """The selection, if there is one, and every candidate: the eligible ones by rank, then the others."""

    selection: Selection | None
    candidates: tuple[Judged, ...]


class _Eligible(NamedTuple):
    """An eligible candidate. `order` has a value for each rule; the lowest is selected."""

    candidate: Candidate
    order: tuple[int, int, timedelta, UUID]


_RULES = (
    SelectionReason.MOST_SPECIFIC,
    SelectionReason.BEST_VERIFIED,
    SelectionReason.NEWEST,
    SelectionReason.LOWEST_ID,
)


def match(
    image: ImageReference | WholeRepository | WholeRegistry,
    candidates: Iterable[Candidate],
    use: RequestedUse,
) -> Match:
    """Select by the rules above. The order of the candidates does not matter; other hosts are ignored."""
    eligible: list[_Eligible] = []
    others: list[Judged] = []
    of_host = [candidate for candidate in candidates if image.registry_host in candidate.hosts]
    chosen = [candidate for candidate in of_host if candidate.credential_id == use.chosen]
    for candidate in chosen or of_host:
        prefix = covering_prefix(candidate.repository_prefixes, image.repository)
        reason = IneligibleReason.OTHER_REPOSITORY if prefix is None else _ineligible_reason(candidate, use)
        if prefix is not None and reason is None:
            eligible.append(_eligible(candidate, prefix))
        elif reason is not None:
            others.append(Judged(candidate, reason))
    if not eligible and isinstance(image, WholeRegistry):
        eligible, others = _only_usable(others, use)
    if chosen:
        passed = (one for one in of_host if one.credential_id != use.chosen)
        others.extend(Judged(one, IneligibleReason.NOT_CHOSEN) for one in passed)
    eligible.sort(key=attrgetter("order"))
    others.sort(key=lambda judged: _age_order(judged.candidate))
    if not eligible:
        return Match(None, tuple(others))
    first, *rest = eligible
    reason_of_first = _deciding_rule(first, rest[0]) if rest else SelectionReason.ONLY_ELIGIBLE
    if chosen:
        reason_of_first = SelectionReason.CHOSEN
    return Match(
        Selection(first.candidate, reason_of_first),
        (
            Judged(first.candidate, RankReason.SELECTED),
            *(Judged(other.candidate, _rank_reason(first, other)) for other in rest),
            *others,
        ),
    )


def _only_usable(found: list[Judged], use: RequestedUse) -> tuple[list[_Eligible], list[Judged]]:
    """Return the only candidate that is ineligible just by its prefixes, if there is one, and the others."""
    others = [
        Judged(
            judged.candidate, _ineligible_reason(judged.candidate, use) or IneligibleReason.OTHER_REPOSITORY
        )
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


def ineligible_reason(
    scope: Scope,
    restrictions: Restrictions,
    expires_at: datetime | None,
    use: RequestedUse,
    *,
    frozen: bool = False,
) -> IneligibleReason | None:
    """Return why a credential is not eligible for any repository, or `None` if it is for some."""
    if restrictions.restricted and use.project_id not in restrictions.projects:
        return IneligibleReason.RESTRICTED
    if use.operation == "pull" and not scope.pull:
        return IneligibleReason.NO_PULL_SCOPE
    if use.operation == "push" and not scope.push:
        return IneligibleReason.NO_PUSH_SCOPE
    if frozen:
        return IneligibleReason.FROZEN
    if expires_at is not None and expires_at <= use.at:
        return IneligibleReason.EXPIRED
    return None


def _ineligible_reason(candidate: Candidate, use: RequestedUse) -> IneligibleReason | None:
    return ineligible_reason(
        candidate.scope, candidate.restrictions, candidate.expires_at, use, frozen=candidate.frozen
    )


def _verification_order(status: VerificationStatus) -> int:
    if status is VerificationStatus.VERIFIED:
        return 0
    return 2 if status is VerificationStatus.FAILED else 1


def _age_order(candidate: Candidate) -> tuple[timedelta, UUID]:
    return (_EPOCH - candidate.added_at, candidate.credential_id)


def _deciding_rule(first: _Eligible, other: _Eligible) -> SelectionReason:
    """Return the first rule in which two candidates differ. Their ids always do."""
    for first_value, other_value, rule in zip(first.order, other.order, _RULES, strict=True):
        if first_value != other_value:
            return rule
    return SelectionReason.LOWEST_ID


def _rank_reason(selected: _Eligible, other: _Eligible) -> RankReason:
    match _deciding_rule(selected, other):
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
