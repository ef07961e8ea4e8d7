"""Readings of the trail are recorded once their answer is out, so that nobody waits for it.

A reading of which no record could be made is a line in the service's own log.
"""

from dataclasses import dataclass
from typing import Any

import structlog
from flask import Response, request

from chassis.database import Pool
from chassis.ids import new_id
from chassis.runtime.clock import now
from chassis.web import authentication
from contracts.audit_events import Form
from eventlog.events import Actor, Metadata
from eventlog.storage import KeyOf
from projector.read.audit_reads import RequestedRead, ReturnedRows, record_read
from projector.read.audit_trail import AuditFilter

log = structlog.get_logger()


def requested_read(account_id: str, wanted: AuditFilter, form: Form, *, continues: bool) -> RequestedRead:
    """Who reads, for what. Raises `Problem` for a malformed header."""
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
    """The rows of one response, and the record of that read when the response ends, however it ends."""

    pool: Pool
    key_of: KeyOf | None
    requested: RequestedRead
    returned: ReturnedRows

    def of(self, response: Response) -> Response:
        """The same response, which is recorded when it is closed."""
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
        except Exception as error:  # the answer is out: there is nobody left to tell
            log.error(  # noqa: TRY400 the type is enough
                "audit_read_not_recorded",
                error=type(error).__name__,
                account_id=self.requested.metadata.account_id,
                principal=self.requested.metadata.actor.id,
                request_id=self.requested.metadata.request_id,
                events=self.returned.events,
            )
