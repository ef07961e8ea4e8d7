"""The changes of all read models for a stored event, or the reason why it becomes a dead letter. Pure."""

from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from contracts.account_events import AccountErased
from eventlog.events import EventError, RecordedEvent, StoredEvent, decode_event, decode_metadata
from projector.write.projections import (
    audit,
    audit_index,
    credentials,
    usages,
    verifications,
)
from projector.write.projections.changes import Change, Insert

# Without the audit trail, which comes first: it copies from rows that the same event may delete.
PROJECTIONS = (
    credentials.project,
    usages.project,
    verifications.project,
)


class ProjectedEvent(Struct, frozen=True):
    """An event and its changes.

    `audit_rows` is its row of the audit trail, and `audit_index` the rows that find it by an image. Both are
    empty if the metadata of the event cannot be read. `changes` are the changes of all other tables. `reason`
    is why the event becomes a dead letter; then `changes` is empty.
    `erased_account` is the account whose personal data is erased from the rows of earlier events.
    """

    position: int
    stream_id: UUID
    audit_rows: Sequence[Insert]
    changes: Sequence[Change]
    reason: str | None = None
    audit_index: Sequence[Insert] = ()
    erased_account: str | None = None

    @property
    def credential_id(self) -> UUID | None:
        """The credential of the event; `None` if it has none, or if the event cannot be read."""
        for row in self.audit_rows:
            found = row.values["credential_id"]
            if isinstance(found, UUID):
                return found
        return None

    def failed(self, reason: str) -> "ProjectedEvent":
        """The same event as a dead letter."""
        return replace(self, changes=(), reason=reason)

    def without_audit_rows(self) -> "ProjectedEvent":
        """The same event without its row of the audit trail, for a row that the database refuses."""
        return replace(self, audit_rows=(), audit_index=())


def project(stored: StoredEvent) -> ProjectedEvent:
    """Decode an event of the log and project it. A failure is reported in `reason` and not raised.

    Raises:
        ValueError: the event has no position, so it was not read from the log.
    """
    if stored.position is None:
        raise ValueError("an event of the log has a position")
    try:
        event = decode_event(stored)
        rows, index = audit.project(event), audit_index.project(event)
    except Exception as error:
        known_rows, known_index = _project_metadata(stored)
        return ProjectedEvent(stored.position, stored.stream.id, known_rows, (), _reason(error), known_index)
    try:
        changes = [change for project in PROJECTIONS for change in project(event)]
    except Exception as error:
        return ProjectedEvent(stored.position, stored.stream.id, rows, (), _reason(error), index)
    erased = event.metadata.account_id if isinstance(event.payload, AccountErased) else None
    return ProjectedEvent(
        stored.position, stored.stream.id, rows, changes, audit_index=index, erased_account=erased
    )


def _project_metadata(stored: StoredEvent) -> tuple[Sequence[Insert], Sequence[Insert]]:
    """The row and the search rows of the audit trail for an event whose payload cannot be read."""
    try:
        metadata = decode_metadata(stored.metadata)
    except EventError:
        return (), ()
    event = RecordedEvent(
        event_id=stored.event_id,
        stream=stored.stream,
        version=stored.version,
        type=stored.type,
        schema_version=stored.schema_version,
        payload=None,
        metadata=metadata,
        recorded_at=stored.recorded_at,
        position=stored.position,
    )
    return audit.project(event), audit_index.project(event)


def _reason(error: Exception) -> str:
    """The reason of a dead letter. For an unexpected error it is the type, as a message may quote values."""
    return str(error) if isinstance(error, EventError) else f"a projection failed: {type(error).__name__}"
