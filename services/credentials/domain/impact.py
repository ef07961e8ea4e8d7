"""The effect of a change: workloads that lose a credential, and their alternatives. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import product
from uuid import UUID

from contracts.credential import Active
from contracts.credential_events import CredentialAccessWithdrawn, Restrictions
from contracts.issuance_events import Operation
from contracts.verdicts import VerificationStatus
from credentials.domain.commands import WorkloadUsage
from credentials.domain.errors import CredentialInUse
from registries.image_reference import ImageReference
from registries.matching import Candidate, RequestedUse, ineligible_reason, match
from registries.repository_prefixes import covering_prefix

_ANY = "-"  # a repository that no prefix names: a prefix cannot have this segment


def may_take_access(before: Active, after: Active, *, now: datetime, until: datetime) -> bool:
    """Return whether a change can take the credential from a workload that could use it."""
    return (
        is_freeze(before, after)
        or before.restrictions != after.restrictions
        or _is_narrower(before, after, now=now, until=until)
    )


def is_freeze(before: Active, after: Active) -> bool:
    """Return whether a change freezes the credential. That never needs `force`: it is for emergencies."""
    return after.frozen and not before.frozen


def losing(
    usages: Iterable[WorkloadUsage], *, before: Active, after: Active, now: datetime, until: datetime
) -> tuple[WorkloadUsage, ...]:
    """Return the workloads that may use it `before` and not `after`.

    One that is frozen already counts as if it were not, because it is thawed again.

    The repositories that a workload pulls are not known here: it loses the credential if that no longer
    covers one of the repositories that it covered. Workloads of a credential that pulls are taken for ones
    that pull. An expiry counts if it comes earlier than before, and by `until`. That of a new secret does
    not: it says how long that secret is valid. A rollback may restore an expired secret, which counts.
    """
    is_narrower = is_freeze(before, after) or _is_narrower(before, after, now=now, until=until)

    operation: Operation = "pull" if before.details.scope.pull else "push"

    def loses(usage: WorkloadUsage) -> bool:
        use = RequestedUse(project_id=usage.project_id, operation=operation, at=now)
        return _may_use(before, use) and (is_narrower or not allows(after.restrictions, usage.project_id))

    return tuple(usage for usage in usages if loses(usage))


def withdrawn(
    credential_id: UUID, lost: Sequence[WorkloadUsage], *, reason: str | None
) -> tuple[CredentialAccessWithdrawn, ...]:
    """Return the event that workloads lose a credential; none if nobody does.

    `reason` is the caller's reason for a change that it forces; `None` if it does not.

    Raises:
        CredentialInUse: workloads lose it, and the change is not forced.
    """
    if not lost:
        return ()
    if reason is None:
        raise CredentialInUse(lost)
    event = CredentialAccessWithdrawn(credential_id=credential_id, reason=reason, workloads=len(lost))
    return (event,)


def _may_use(credential: Active, use: RequestedUse) -> bool:
    details = credential.details
    return ineligible_reason(details.scope, credential.restrictions, details.expires_at, use) is None


def _is_narrower(before: Active, after: Active, *, now: datetime, until: datetime) -> bool:
    """Return whether all projects lose it, for one of its repositories at least."""
    covered = (prefix.rstrip("/") for prefix in before.details.repository_prefixes or ("",))
    prefixes = after.details.repository_prefixes
    return (
        not set(before.hosts) <= set(after.hosts)
        or not set(before.besides.mirror_of) <= set(after.besides.mirror_of)
        or (before.details.scope.pull and not after.details.scope.pull)
        or (not before.details.scope.pull and not after.details.scope.push)
        or any(covering_prefix(prefixes, repository) is None for repository in covered)
        or _expires_earlier(before, after, now=now, until=until)
    )


def _expires_earlier(before: Active, after: Active, *, now: datetime, until: datetime) -> bool:
    expiry, previous = after.details.expires_at, before.details.expires_at
    counts_until = until if after.secret.version == before.secret.version else now
    if expiry is None or expiry > counts_until:
        return False
    return previous is None or expiry < previous


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
    for host, prefix in product(lost.hosts, lost.details.repository_prefixes or ("",)):
        repository = f"{prefix.rstrip('/')}/{_ANY}".lstrip("/")
        image = ImageReference(registry_host=host, repository=repository, tag="latest", digest=None)
        selection = match(image, others, use).selection
        if selection is None:
            return ()
        found[selection.candidate.credential_id] = None
    return tuple(found)
