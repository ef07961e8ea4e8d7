"""Who loses a credential by a change. `credentials.domain.impact` has the rules."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from contracts.credential import Active, Credential
from contracts.credential_events import CredentialAccessWithdrawn
from credentials.application.store import CredentialStore
from credentials.domain.commands import MAX_WORKLOADS, WorkloadUsage
from credentials.domain.impact import is_freeze, losing, may_take_access, served_by, withdrawn


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """The effect of a change of a credential at `version`.

    `usages` are the workloads that would lose it, and `more_usages` whether there are others. `served_by`
    has, by project, the credentials that its workloads would use instead. `needs_force`: the change is
    refused unless it is forced.
    """

    credential_id: UUID
    version: int
    usages: tuple[WorkloadUsage, ...]
    more_usages: bool
    needs_force: bool
    served_by: Mapping[str, tuple[UUID, ...]]


class Access:
    """Finds the workloads that lose a credential, of those that used it within `use_window`."""

    def __init__(self, store: CredentialStore, *, use_window: timedelta) -> None:
        self._store = store
        self._use_window = use_window

    def since(self, now: datetime) -> datetime:
        """Return the time since which a workload that used a credential is a user of it."""
        return now - self._use_window

    def withdrawn(
        self, before: Active, after: Credential, *, now: datetime, reason: str | None
    ) -> tuple[CredentialAccessWithdrawn, ...]:
        """Return the event that workloads lose a credential by a change; none if nobody does.

        A removal has its own event and check, a freeze its own event. `reason` is that of a forced change.

        Raises:
            CredentialInUse: workloads lose it, and the change is not forced.
        """
        if not isinstance(after, Active) or is_freeze(before, after):
            return ()
        return withdrawn(before.credential_id, self._losing(before, after, now), reason=reason)

    def impact(
        self, account_id: str, before: Active, version: int, after: Credential, now: datetime
    ) -> Impact:
        """Return the effect of a change of a credential at `version`, or of its removal."""
        if isinstance(after, Active):
            lost, needs_force = self._losing(before, after, now), not is_freeze(before, after)
        else:
            lost, needs_force = self._store.usages(before.credential_id, since=self.since(now)), True
        usages = lost[:MAX_WORKLOADS]
        others = self._store.candidates(account_id, before.hosts) if usages else []
        projects = {usage.project_id for usage in usages}
        return Impact(
            credential_id=before.credential_id,
            version=version,
            usages=usages,
            more_usages=len(lost) > MAX_WORKLOADS,
            needs_force=bool(lost) and needs_force,
            served_by={project: served_by(project, before, others, at=now) for project in projects},
        )

    def _losing(self, before: Active, after: Active, now: datetime) -> tuple[WorkloadUsage, ...]:
        until = now + self._use_window
        if not may_take_access(before, after, now=now, until=until):
            return ()
        usages = self._store.usages(before.credential_id, since=self.since(now), most=None)
        return losing(usages, before=before, after=after, now=now, until=until)
