"""Events of several accounts with encrypted personal data, on a real log."""

from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

from contracts.audit_events import AuditFilters, AuditRead
from contracts.issuance_events import Workload
from contracts.streams import audit_stream
from credentials.account_erasure import Erasure
from eventlog.events import Actor, Metadata, NewEvent
from eventlog.storage import PersonalKeys, append_request, read_log
from operations.accounts.erasure import erase
from projector.write.consumer import ReadModelConsumer
from tests.integration.projector import payloads
from tests.integration.projector.payloads import MOMENT, Connection, Log

_APPEND = "SELECT version FROM es.append(%s, %s)"
_ids = count(1)


@dataclass
class Accounts:
    """Appends events of several accounts to a real log, with encrypted personal data, and projects them."""

    log: Log
    projector: Connection
    personal: PersonalKeys
    key_of: Any

    def happens(self, account: str, *happened: Any) -> None:
        for payload in happened:
            number = next(_ids)
            stream = (
                audit_stream(payload.read_id)
                if isinstance(payload, AuditRead)
                else payloads.stream_of(payload)
            )
            event = NewEvent(
                event_id=UUID(int=0xE << 64 | number), payload=payload, metadata=by(account, number)
            )
            row = self.log.connection.execute(
                "SELECT version FROM es.streams WHERE stream_id = %s", (stream.id,)
            ).fetchone()
            argument = append_request(stream, row[0] if row else 0, [event], None, self.key_of)
            self.log.connection.execute(_APPEND, (stream.category, argument))

    def project(self) -> None:
        self.log.sequence()
        models = ReadModelConsumer(self.personal)
        position = models.redrive_and_get_checkpoint(self.projector)
        models.begin(position)
        while events := read_log(self.projector, position, 3, personal=self.personal):
            position = models.handle(self.projector, events)

    def erase(self, account: str, reason: str | None = "it has left") -> Erasure:
        number = next(_ids)
        done = Erasure(
            erasure_id=UUID(int=0xA << 64 | number),
            event_id=UUID(int=0xB << 64 | number),
            account_id=account,
            person="operator",
            reason=reason,
            at=MOMENT + timedelta(days=1),
        )
        erase(self.log.connection, done)
        return done


def by(account: str, number: int) -> Metadata:
    return Metadata(
        account_id=account,
        actor=Actor(type="user", id=f"canary-id-{account}", name=f"Canary {account}"),
        occurred_at=MOMENT + timedelta(seconds=number),
        request_id=f"canary-r-{account}-{number}",
        correlation_id=f"canary-c-{account}-{number}",
        on_behalf_of=f"canary-{account}@example.com",
        source_ip=f"canary-ip-{account}",
    )


def a_life(account: str, number: int) -> list[Any]:
    """Events with a canary in every personal field."""
    name = f"canary-name-{account}"
    workload = Workload(kind=f"canary-kind-{account}", name=f"canary of {account} {number}")
    text = f"canary-filter-{account}"
    added, renamed = payloads.added(number, name), payloads.renamed(number, f"{name}-2")
    rotated = replace(
        payloads.rotated(number, 2), username=f"canary-{account}", previous_username=f"canary-{account}-0"
    )
    described = replace(renamed.details, description=f"canary of {account}")
    return [
        replace(added, username=f"canary-{account}"),
        replace(renamed, details=described, previous=replace(renamed.previous, name=name)),
        payloads.succeeded(number, number),
        rotated,
        replace(
            payloads.issued(number, number, "ghcr.io/acme/shop:1"),
            credential_name=f"{name}-2",
            workload=workload,
        ),
        replace(payloads.refused(number, 10_000 + number), workload=workload),
        replace(payloads.removed(number), reason=f"canary reason {account}"),
        AuditRead(
            read_id=UUID(int=0xD << 64 | number),
            form="page",
            filters=AuditFilters(
                action=text,
                outcome=text,
                actor=text,
                project_id=text,
                registry_host=text,
                image=text,
                request_id=text,
            ),
            events=1,
            first_position=1,
            last_position=1,
        ),
    ]
