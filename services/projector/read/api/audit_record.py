"""Record a read of the audit trail after its response was sent, so that the caller does not wait for it.

If the read cannot be recorded, the service logs `audit_read_not_recorded`.
"""

from dataclasses import dataclass
from typing import Any

import structlog
from flask import Response, request

from chassis.database import Pool
from chassis.ids import new_id
from chassis.runtime.clock import now
from chassis.web import authentication
from chassis.web.limits import current_limits
from contracts.audit_events import Form
from eventlog.events import Actor, Metadata
from eventlog.storage import KeyOf
from projector.read.audit_reads import RequestedRead, ReturnedRows, record_read
from projector.read.audit_trail import AuditFilter

log = structlog.get_logger()


def requested_read(account_id: str, wanted: AuditFilter, form: Form, *, continues: bool) -> RequestedRead:
    """The read of this HTTP request.

    Raises:
        Problem: a malformed header.
        LimitReached: the account has caused too many events.
    """
    limits = current_limits()
    if limits is not None:
        limits.admit_events(account_id, 0 if continues else 1)
    request_id, caller = authentication.request_id(), authentication.principal()
    metadata = Metadata(
        account_id=account_id,
        actor=Actor(type="service", id=caller.id, name=caller.name),
        occurred_at=now(),
        request_id=request_id,
        correlation_id=request_id,
        on_behalf_of=authentication.on_behalf_of(),
        source_ip=request.remote_addr,
        traceparent=authentication.traceparent(),
    )
    return RequestedRead(metadata=metadata, wanted=wanted, form=form, continues=continues)


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """Counts the rows of one response, and records the read when the response ends or is interrupted."""

    pool: Pool
    key_of: KeyOf | None
    requested: RequestedRead
    returned: ReturnedRows

    def of(self, response: Response) -> Response:
        """The same response. The read is recorded when it is closed."""
        response.call_on_close(self._record)
        return response

    def add(self, row: dict[str, Any]) -> dict[str, Any]:
        self.returned.add(row)
        return row

    def _record(self) -> None:
        if not self.returned.is_recorded(continues=self.requested.continues):
            return
        try:
            record_read(self.pool, new_id(), new_id(), self.requested, self.returned, key_of=self.key_of)
        except Exception as error:  # the response was sent, so the error can only be logged
            log.error(  # noqa: TRY400 the type is enough
                "audit_read_not_recorded",
                error=type(error).__name__,
                account_id=self.requested.metadata.account_id,
                principal=self.requested.metadata.actor.id,
                request_id=self.requested.metadata.request_id,
                events=self.returned.events,
            )
