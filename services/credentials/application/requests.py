"""Who asks for a command, when, and under which idempotency key."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from eventlog.events import Actor, Metadata, NewEvent
from eventlog.storage import IdempotentRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestKey:
    """The caller's idempotency key and the fingerprint (32 bytes, keyed) of what was asked under it."""

    key: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRequest:
    """What surrounds a command; `now` is its one moment in time."""

    account_id: str
    actor: Actor
    now: datetime
    request_id: str
    on_behalf_of: str | None = None
    source_ip: str | None = None
    traceparent: str | None = None
    key: RequestKey | None = None

    def metadata(self) -> Metadata:
        """What its events carry; the request begins a new chain of causes, under its own id."""
        return Metadata(
            account_id=self.account_id,
            actor=self.actor,
            occurred_at=self.now,
            request_id=self.request_id,
            correlation_id=self.request_id,
            on_behalf_of=self.on_behalf_of,
            source_ip=self.source_ip,
            traceparent=self.traceparent,
        )

    def events(self, payloads: Iterable[object], new_id: Callable[[], UUID]) -> list[NewEvent]:
        """The events of these payloads, as they are appended for this request."""
        return [NewEvent(event_id=new_id(), payload=each, metadata=self.metadata()) for each in payloads]

    def answered_with(self, response: Mapping[str, Any]) -> IdempotentRequest | None:
        """What is stored under its key, so that a repetition gets the same answer; `None` without a key."""
        if self.key is None:
            return None
        return IdempotentRequest(key=self.key.key, fingerprint=self.key.fingerprint, response=response)
