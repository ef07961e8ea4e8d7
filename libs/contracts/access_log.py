"""The event of a refused request, and the account that it belongs to."""

from collections.abc import Callable
from typing import Protocol
from uuid import UUID

from chassis.authentication.refused_request import RefusedRequest
from contracts.access_events import MAX_ID, MAX_IMAGES, AccessDenied
from contracts.service_token_events import INSTALLATION
from contracts.streams import refusal_stream
from eventlog.events import Actor, Metadata, NewEvent, StreamId


class RefusalStore(Protocol):
    """Where refused requests are stored (`eventlog.storage.PostgresRefusals`)."""

    def has_account(self, account_id: str) -> bool:
        """Whether the account has data that was not erased."""

    def append(self, stream: StreamId, event: NewEvent) -> None:
        """Append the first event of a stream."""


def refusal_recorder(store: RefusalStore, *, new_id: Callable[[], UUID]) -> Callable[[RefusedRequest], None]:
    """The function that appends `access.denied`. It raises the errors of the store."""

    def record(refused: RefusedRequest) -> None:
        account_id = INSTALLATION
        if refused.account_id is not None and store.has_account(refused.account_id):
            account_id = refused.account_id
        refusal_id = new_id()
        event = NewEvent(
            event_id=new_id(),
            payload=_payload(refused, refusal_id),
            metadata=Metadata(
                account_id=account_id,
                actor=Actor(type="service", id=refused.principal.id, name=refused.principal.name),
                occurred_at=refused.at,
                request_id=refused.request_id,
                correlation_id=refused.request_id,
                source_ip=refused.source_ip,
                traceparent=refused.traceparent,
            ),
        )
        store.append(refusal_stream(refusal_id), event)

    return record


def _payload(refused: RefusedRequest, refusal_id: UUID) -> AccessDenied:
    return AccessDenied(
        refusal_id=refusal_id,
        method=refused.method,
        route=refused.route,
        reason=refused.reason,
        requested_account=refused.account_id,
        project_id=refused.project_id and refused.project_id[:MAX_ID],
        credential_id=refused.credential_id,
        images=refused.images[:MAX_IMAGES],
        further_images=len(refused.images[MAX_IMAGES:]),
        omitted=refused.omitted,
    )
