"""Notices of ends: 30, 7 and 1 days before, and when it is there; each once."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from contracts.expiry_events import ExpiryApproached, ExpiryPassed
from contracts.streams import credential_stream, verification_stream
from eventlog.events import Metadata, NewEvent, RecordedEvent
from eventlog.storage import EventStore
from verifier.expiry import next_notice, notice_due
from verifier.scheduling.rows import ExpiryNotice, ScheduleEntry
from verifier.scheduling.table import ScheduleTable
from verifier.stream_append import record_once
from verifier.verifier import ACTOR, Streams

_AT_ONCE = 100


class Notices:
    """Raises `EventStoreError`; then they are given at the next opportunity."""

    def __init__(
        self,
        store: EventStore,
        table: ScheduleTable,
        streams: Streams,
        *,
        now: Callable[[], datetime],
        new_id: Callable[[], UUID],
    ) -> None:
        self._store = store
        self._table = table
        self._streams = streams
        self._now = now
        self._new_id = new_id

    def send(self) -> int:
        """Give those that are due; gives how many credentials were looked at."""
        endings = self._table.ending(self._now(), _AT_ONCE)
        for ending in endings:
            self._send(ending)
        return len(endings)

    def _send(self, ending: ExpiryNotice) -> None:
        now = self._now()
        days = notice_due(ending.expires_at, now)
        if days is not None and (ending.last_notice_days is None or days < ending.last_notice_days):
            entry = ScheduleEntry.of(self._streams(credential_stream(ending.credential_id)))
            if entry is None:
                self._table.leave(ending.credential_id)
                return
            if entry.secret_version == ending.secret_version:  # else its rotation is on its way to us
                self._record(ending, days, now)
        self._table.noticed(ending, days=days, next_at=next_notice(ending.expires_at, now))

    def _record(self, ending: ExpiryNotice, days: int, now: datetime) -> None:
        notice_id = self._new_id()
        metadata = Metadata(
            account_id=ending.account_id,
            actor=ACTOR,
            occurred_at=now,
            request_id=str(notice_id),
            correlation_id=str(notice_id),
        )
        event = NewEvent(event_id=notice_id, payload=_notice(ending, days), metadata=metadata)

        def events_behind(_history: Sequence[RecordedEvent]) -> list[NewEvent]:
            return [event]

        end = ending.expires_at.isoformat()
        key = f"expiry:{ending.credential_id}:{ending.secret_version}:{end}:{days}"
        record_once(self._store, verification_stream(ending.credential_id), key, events_behind)


def _notice(ending: ExpiryNotice, days: int) -> ExpiryApproached | ExpiryPassed:
    if days == 0:
        return ExpiryPassed(
            credential_id=ending.credential_id,
            registry_host=ending.registry_host,
            provider=ending.provider,
            secret_version=ending.secret_version,
            expires_at=ending.expires_at,
        )
    return ExpiryApproached(
        credential_id=ending.credential_id,
        registry_host=ending.registry_host,
        provider=ending.provider,
        secret_version=ending.secret_version,
        expires_at=ending.expires_at,
        days=days,
    )
