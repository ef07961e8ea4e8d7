"""Who would lose a credential by a change of its restrictions, and what would serve them instead. Pure."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from contracts.credential import Active
from contracts.credential_events import Restrictions
from contracts.verdicts import VerificationStatus
from credentials.domain.commands import WorkloadUsage
from credentials.domain.matching import Candidate, RequestedUse, match
from registries.image_reference import ImageReference

_ANY = "-"  # a repository of which no prefix speaks: none has such a segment


def losing(
    usages: Iterable[WorkloadUsage], *, before: Restrictions, after: Restrictions
) -> tuple[WorkloadUsage, ...]:
    """The workloads that may use it `before` and not `after`."""
    return tuple(
        user for user in usages if allows(before, user.project_id) and not allows(after, user.project_id)
    )


def allows(restrictions: Restrictions, project_id: str) -> bool:
    """Whether a project may use a credential with these restrictions."""
    return not restrictions.restricted or project_id in restrictions.projects


def served_by(
    project_id: str, lost: Active, candidates: Iterable[Candidate], *, at: datetime
) -> tuple[UUID, ...]:
    """What a project would be given instead, for every repository that the credential is for; empty where
    one of them would be left without. What the registry refused when it was last tried serves nobody.
    """
    others = [
        candidate
        for candidate in candidates
        if candidate.credential_id != lost.credential_id
        and candidate.verification is not VerificationStatus.FAILED
    ]
    use = RequestedUse(project_id=project_id, operation="pull", at=at)
    found: dict[UUID, None] = {}
    for prefix in lost.details.repository_prefixes or ("",):
        repository = f"{prefix.rstrip('/')}/{_ANY}".lstrip("/")
        image = ImageReference(
            registry_host=lost.registry.host, repository=repository, tag="latest", digest=None
        )
        selection = match(image, others, use).selection
        if selection is None:
            return ()
        found[selection.candidate.credential_id] = None
    return tuple(found)
