"""The read model of usages: a row for each workload that a secret was issued to.

Rows of removed credentials stay.
"""

from uuid import UUID, uuid5

from contracts.issuance_events import SecretIssuedV2
from contracts.release_events import WorkloadReleased
from eventlog.events import RecordedEvent
from projector.write.projections.changes import Change, Put, Update

_USAGES = UUID("3d0c2b52-8a0f-5a5e-9d0b-6f0c5b7f2c11")  # namespace of the ids of usages; never changes


def project(recorded: RecordedEvent) -> list[Change]:
    """The changes of `rm.usages` for an event. Only an issued secret is a usage."""
    event, moment = recorded.payload, recorded.metadata.occurred_at
    if isinstance(event, WorkloadReleased):
        return [Update("usages", _id(event), {"released_at": moment})]
    if not isinstance(event, SecretIssuedV2):
        return []
    usage_id = _id(event)
    return [
        Put(
            "usages",
            usage_id,
            {
                "usage_id": usage_id,
                "account_id": recorded.metadata.account_id,
                "credential_id": event.credential_id,
                "project_id": event.project_id,
                "workload_kind": _kind(event),
                "workload_name": event.workload.name,
                "images": list(event.images),
                "secret_version": event.secret_version,
                "first_used_at": moment,
                "last_used_at": moment,
                "released_at": None,
            },
            least=("first_used_at",),
            greatest=("last_used_at",),
            gathered=("images",),
        )
    ]


def _kind(event: SecretIssuedV2 | WorkloadReleased) -> str:
    return event.workload.kind.lower()  # 0.9.0 stored it as it was sent


def _id(event: SecretIssuedV2 | WorkloadReleased) -> UUID:
    # None of the parts can contain a line feed.
    workload = f"{event.project_id}\n{_kind(event)}\n{event.workload.name}"
    return uuid5(_USAGES, f"{event.credential_id}\n{workload}")
