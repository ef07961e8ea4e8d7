"""Readings of the trail are recorded once their answer is out, so that nobody waits for it.

A reading of which no record could be made is a line in the service's own log.
"""

from dataclasses import dataclass
from typing import Any

import structlog
from flask import Response, request

from chassis.database import Pool
from chassis.runtime.clock import now
from chassis.runtime.ids import new_id
from chassis.web import authentication
from contracts.audit_events import Form
from eventlog.events.envelope import Actor, Metadata
from eventlog.storage.postgres import KeyOf
from projector.read.audit_reads import Asked, ReturnedRows, record
from projector.read.audit_trail import AuditFilter

log = structlog.get_logger()


def asked_by_this_request(account_id: str, wanted: AuditFilter, form: Form, *, continues: bool) -> Asked:
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
    return Asked(metadata=metadata, wanted=wanted, form=form, continues=continues)


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """What an answer gives out, and what is told of it when that is over, however it ended."""

    pool: Pool
    key_of: KeyOf | None
    asked: Asked
    given: ReturnedRows

    def of(self, response: Response) -> Response:
        """The same response, which is recorded when it is closed."""
        response.call_on_close(self._record)
        return response

    def noted(self, row: dict[str, Any]) -> dict[str, Any]:
        self.given.add(row)
        return row

    def _record(self) -> None:
        if not self.given.is_recorded(continues=self.asked.continues):
            return
        try:
            record(self.pool, new_id(), new_id(), self.asked, self.given, key_of=self.key_of)
        except Exception as error:  # the answer is out: there is nobody left to tell
            log.error(  # noqa: TRY400 the type is enough
                "audit_read_not_recorded",
                error=type(error).__name__,
                account_id=self.asked.metadata.account_id,
                principal=self.asked.metadata.actor.id,
                request_id=self.asked.metadata.request_id,
                events=self.given.events,
            )
