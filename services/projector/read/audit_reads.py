"""Record reads of the audit trail in the log. The query API writes nothing else."""

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
    """Counts the rows that a response has returned so far, in any order.

    `events` is the number of rows, and `other_events` the number without those of `audit.read`. `first` and
    `last` are the lowest and the highest position.
    """

    events: int = 0
    other_events: int = 0
    first: int | None = None
    last: int | None = None

    def add(self, row: dict[str, Any]) -> None:
        self.events += 1
        self.other_events += row["action"] != READ
        self._include(row["position"])

    def add_issued(self, number: int, first: int, last: int) -> None:
        """Count `number` rows of `secret.issued` that one row of a report summarises."""
        self.events += number
        self.other_events += number
        self._include(first)
        self._include(last)

    def _include(self, position: int) -> None:
        self.first = position if self.first is None else min(self.first, position)
        self.last = position if self.last is None else max(self.last, position)

    def is_recorded(self, *, continues: bool) -> bool:
        """Whether the read is recorded.

        A read that continues an earlier one is recorded only if it returned rows other than `audit.read`.
        Otherwise a caller who follows the audit trail would cause a new row with each read of the last one.
        """
        return self.other_events > 0 or not continues


def record_read(
    pool: Pool,
    read_id: UUID,
    event_id: UUID,
    requested: "RequestedRead",
    returned: ReturnedRows,
    *,
    key_of: KeyOf | None,
) -> None:
    """Append `audit.read`, with personal data encrypted by a key of `key_of`. Raises `EventStoreError`."""
    payload = AuditRead(
        read_id=read_id,
        form=requested.form,
        filters=AuditFilters(**_recorded_filters(requested.wanted)),
        events=returned.events,
        first_position=returned.first,
        last_position=returned.last,
    )
    event = NewEvent(event_id=event_id, payload=payload, metadata=requested.metadata)
    argument = append_request(audit_stream(read_id), 0, [event], None, key_of)
    call_append(pool, _APPEND, [argument], None)


def _recorded_filters(wanted: AuditFilter) -> dict[str, Any]:
    return {name: value for name, value in asdict(wanted).items() if name != "up_to"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedRead:
    """A request to read the audit trail.

    `metadata` names the caller. `continues` says whether the request continues an earlier read.
    """

    metadata: Metadata
    wanted: AuditFilter
    form: Form
    continues: bool
