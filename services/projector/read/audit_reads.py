"""That somebody has read the audit trail, into the log: the one thing that the query API writes."""

from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from chassis.database import Pool
from contracts.audit_events import AuditFilters, AuditRead, Form
from contracts.streams import audit_stream
from eventlog.events import Metadata, NewEvent
from eventlog.storage import KeyOf, append_request, call_append
from projector.read.audit_trail import AuditFilter

READ = "audit.read"

_APPEND = "SELECT * FROM audit.append(%s)"


@dataclass(slots=True)
class ReturnedRows:
    """What has been given out so far, in any order. `news` counts what is no record of a reading itself."""

    events: int = 0
    news: int = 0
    first: int | None = None
    last: int | None = None

    def add(self, row: dict[str, Any]) -> None:
        position = row["position"]
        self.events += 1
        self.news += row["action"] != READ
        self.first = position if self.first is None else min(self.first, position)
        self.last = position if self.last is None else max(self.last, position)

    def is_recorded(self, *, continues: bool) -> bool:
        """Whether a reading is told. One that goes on where an earlier one ended is so only if there was news
        for it: whoever follows the trail would else be told for ever that he follows it.
        """
        return self.news > 0 or not continues


def record_read(
    pool: Pool,
    read_id: UUID,
    event_id: UUID,
    asked: "RequestedRead",
    given: ReturnedRows,
    *,
    key_of: KeyOf | None,
) -> None:
    """Append it, sealed with a key of `key_of`. Raises `EventStoreError`."""
    payload = AuditRead(
        read_id=read_id,
        form=asked.form,
        filters=AuditFilters(**_requested(asked.wanted)),
        events=given.events,
        first_position=given.first,
        last_position=given.last,
    )
    event = NewEvent(event_id=event_id, payload=payload, metadata=asked.metadata)
    argument = append_request(audit_stream(read_id), 0, [event], None, key_of)
    call_append(pool, _APPEND, [argument], None)


def _requested(wanted: AuditFilter) -> dict[str, Any]:
    return {name: value for name, value in asdict(wanted).items() if name != "up_to"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedRead:
    """A read of the audit trail: by whom, with which filters, in which form."""

    metadata: Metadata
    wanted: AuditFilter
    form: Form
    continues: bool
