"""The effect of restrictions: workloads that lose a credential, and their alternatives. Pure."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from contracts.credential import Active
from contracts.credential_events import Restrictions
from contracts.verdicts import VerificationStatus
from credentials.domain.commands import WorkloadUsage
from registries.image_reference import ImageReference
from registries.matching import Candidate, RequestedUse, match

_ANY = "-"  # a repository that no prefix names: a prefix cannot have this segment


def losing(
    usages: Iterable[WorkloadUsage], *, before: Restrictions, after: Restrictions
) -> tuple[WorkloadUsage, ...]:
    """Return the workloads that may use it `before` and not `after`."""
    return tuple(
        usage for usage in usages if allows(before, usage.project_id) and not allows(after, usage.project_id)
    )


def allows(restrictions: Restrictions, project_id: str) -> bool:
    """Return whether a project may use a credential with these restrictions."""
    return not restrictions.restricted or project_id in restrictions.projects


def served_by(
    project_id: str, lost: Active, candidates: Iterable[Candidate], *, at: datetime
) -> tuple[UUID, ...]:
    """Return the credentials that a project would use instead, for all repositories of the lost one.

    The result is empty if one of the repositories would have none. Credentials whose last verification failed
    do not count.
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
