"""The read model of usages: a row for each workload that a secret was issued to.

Rows of removed credentials stay.
"""

from uuid import UUID, uuid5

from contracts.issuance_events import SecretIssuedV2
from eventlog.events import RecordedEvent
from projector.write.projections.changes import Change, Put

_USAGES = UUID("3d0c2b52-8a0f-5a5e-9d0b-6f0c5b7f2c11")  # namespace of the ids of usages; never changes


def project(recorded: RecordedEvent) -> list[Change]:
    """The changes of `rm.usages` for an event. Only an issued secret is a usage."""
    event = recorded.payload
    if not isinstance(event, SecretIssuedV2):
        return []
    # None of the parts can contain a line feed.
    kind = event.workload.kind.lower()  # 0.9.0 stored it as it was sent
    workload = f"{event.project_id}\n{kind}\n{event.workload.name}"
    usage_id = uuid5(_USAGES, f"{event.credential_id}\n{workload}")
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
                "workload_kind": kind,
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
