"""What a stored event means for all read models, or why this program cannot tell. Pure."""

from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from contracts.account_events import AccountErased
from eventlog.events import EventError, RecordedEvent, StoredEvent, decode_event, decode_metadata
from projector.write.projections import audit, audit_index, credentials, usages, verifications
from projector.write.projections.changes import Change, Insert

# The audit trail is not among them: it comes first, as it copies from rows that the same event may delete.
PROJECTIONS = (credentials.project, usages.project, verifications.project)


class ProjectedEvent(Struct, frozen=True):
    """An event and what it changes.

    `trail` is its row of the audit trail, `index` the images by which that is found: none where the event's
    metadata cannot be read. `changes` are all others. `reason` says why the event has to be dead-lettered;
    then there are no changes.
    """

    position: int
    stream_id: UUID
    trail: Sequence[Insert]
    changes: Sequence[Change]
    reason: str | None = None
    index: Sequence[Insert] = ()
    erases: str | None = None  # an account: what earlier events made known of persons is to go

    @property
    def credential_id(self) -> UUID | None:
        """The credential that the event is about, as far as it is known."""
        for row in self.trail:
            found = row.values["credential_id"]
            if isinstance(found, UUID):
                return found
        return None

    def failed(self, reason: str) -> "ProjectedEvent":
        """The same event, to be dead-lettered."""
        return replace(self, changes=(), reason=reason)

    def without_trail(self) -> "ProjectedEvent":
        """The same event without a row of the trail: that is what the database refuses."""
        return replace(self, trail=(), index=())


def project(stored: StoredEvent) -> ProjectedEvent:
    """Read an event of the log. What is wrong with it is told in `reason`; nothing is raised for it.

    Raises:
        ValueError: it has no position; then it does not come from the log.
    """
    if stored.position is None:
        raise ValueError("an event of the log has a position")
    try:
        event = decode_event(stored)
        trail, index = audit.project(event), audit_index.project(event)
    except Exception as error:
        known, found_by = _trail_of(stored)
        return ProjectedEvent(stored.position, stored.stream.id, known, (), _described(error), found_by)
    try:
        changes = [change for project in PROJECTIONS for change in project(event)]
    except Exception as error:
        return ProjectedEvent(stored.position, stored.stream.id, trail, (), _described(error), index)
    erases = event.metadata.account_id if isinstance(event.payload, AccountErased) else None
    return ProjectedEvent(stored.position, stored.stream.id, trail, changes, index=index, erases=erases)


def _trail_of(stored: StoredEvent) -> tuple[Sequence[Insert], Sequence[Insert]]:
    """Who and when, of an event whose payload cannot be read."""
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


def _described(error: Exception) -> str:
    """Of what nobody foresaw its type and no more: a message might quote what stands in the event."""
    return str(error) if isinstance(error, EventError) else f"a projection failed: {type(error).__name__}"
