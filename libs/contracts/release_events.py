"""Events of a release: a deploy platform says that a workload or a project is gone, as a stream of its own.

The credentials service alone writes them. A release has one event for each usage that ends.
"""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from contracts.fields import CredentialId, ProjectId, Reason
from contracts.issuance_events import Workload
from eventlog.events import event


@event("workload.released", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadReleased:
    """A workload is gone. It is no user of the credential until the secret is issued to it again."""

    release_id: Annotated[UUID, Meta(description="The release; the id of its stream.")]
    credential_id: CredentialId
    project_id: ProjectId
    workload: Workload
    reason: Reason | None
