"""Who uses a credential: a row for each workload that was given its secret, kept when the credential goes."""

from uuid import UUID, uuid5

from contracts.issuance_events import SecretIssued
from eventlog.events import RecordedEvent
from projector.write.projections.changes import Change, Put

_USAGES = UUID("3d0c2b52-8a0f-5a5e-9d0b-6f0c5b7f2c11")  # namespace of ids of usages, fixed for ever


def project(recorded: RecordedEvent) -> list[Change]:
    """The changes of `rm.usages` that an event means. What was not given out is no usage."""
    event = recorded.payload
    if not isinstance(event, SecretIssued):
        return []
    # A line feed is in none of them.
    who = f"{event.project_id}\n{event.workload.kind}\n{event.workload.name}"
    usage_id = uuid5(_USAGES, f"{event.credential_id}\n{who}")
    moment = recorded.metadata.occurred_at
    return [
        Put(
            "usages",
            usage_id,
            {
                "usage_id": usage_id,
                "account_id": recorded.metadata.account_id,
                "credential_id": event.credential_id,
                "project_id": event.project_id,
                "workload_kind": event.workload.kind,
                "workload_name": event.workload.name,
                "images": list(event.images),
                "secret_version": event.secret_version,
                "first_used_at": moment,
                "last_used_at": moment,
            },
            least=("first_used_at",),
            greatest=("last_used_at",),
            gathered=("images",),
        )
    ]
