"""Events of the audit trail itself.

The query API records each read of the audit trail. `regcred audit seal` records each account's part of an
archived segment. Each of them is a stream of its own.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta

from contracts.fields import CredentialId, Image
from eventlog.events import PERSONAL, event

MAX_FILTER = 255  # characters
_MAX_POSITION = 2**63 - 1
_SHA256 = "^[0-9a-f]{64}$"

ReadId = Annotated[UUID, Meta(description="The read; the id of its stream.")]
Since = Annotated[datetime, Meta(tz=True, description="Events at this time or later, RFC 3339.")]
Until = Annotated[datetime, Meta(tz=True, description="Events before this time, RFC 3339.")]
Filter = Annotated[
    str,
    Meta(max_length=MAX_FILTER, description="The value that rows are compared with.", extra=PERSONAL),
]
Position = Annotated[int, Meta(ge=0, le=_MAX_POSITION, description="A position of the log.")]
Form = Annotated[
    Literal["page", "ndjson", "csv", "follow"], Meta(description="A page, a file, or a stream of new events.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilters:
    """The filters of the request. A null filter was not set."""

    since: Since | None = None
    until: Until | None = None
    action: Filter | None = None
    outcome: Filter | None = None
    actor: Filter | None = None
    credential_id: CredentialId | None = None
    project_id: Filter | None = None
    registry_host: Filter | None = None
    image: Annotated[Image, Meta(extra=PERSONAL)] | None = None
    request_id: Filter | None = None
    after: Position | None = None


@event("audit.read", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRead:
    """The audit trail of an account was read, exported or followed.

    `first_position` and `last_position` are the lowest and the highest position that were returned.
    """

    read_id: ReadId
    form: Form
    filters: AuditFilters
    events: Annotated[int, Meta(ge=0, le=_MAX_POSITION, description="How many rows were returned.")]
    first_position: Position | None
    last_position: Position | None


@event("audit.sealed", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSealed:
    """A part of the account's audit trail was moved from the read models to an archived segment (ADR 15)."""

    seal_id: Annotated[UUID, Meta(description="The account's part of this segment; the id of its stream.")]
    segment: Annotated[str, Meta(max_length=MAX_FILTER, description="The segment's folder.")]
    first_position: Position
    last_position: Position
    events: Annotated[int, Meta(ge=0, le=_MAX_POSITION, description="How many rows belong to the account.")]
    file_hash: Annotated[str, Meta(pattern=_SHA256, description="SHA-256 of the account's file.")]
    manifest_hash: Annotated[str, Meta(pattern=_SHA256, description="SHA-256 of the segment's manifest.")]
