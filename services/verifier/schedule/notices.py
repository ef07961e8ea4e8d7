"""Notices of expiries: 30, 7 and 1 days before a secret expires, and at the expiry. Each is sent once."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from contracts.expiry_events import ExpiryApproached, ExpiryPassed
from contracts.streams import credential_stream, verification_stream
from eventlog.events import Metadata, NewEvent, RecordedEvent
from eventlog.storage import EventStore
from verifier.expiry import next_notice, notice_due
from verifier.schedule.rows import ExpiryNotice, ScheduleEntry
from verifier.schedule.table import ScheduleTable
from verifier.stream_append import record_once
from verifier.verifier import ACTOR, Streams

_AT_ONCE = 100


class Notices:
    """Records notices as events. Raises `EventStoreError`; the notices are then sent by a later call."""

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
        """Record the notices that are due. Returns the number of credentials that were checked."""
        due = self._table.notices_due(self._now(), _AT_ONCE)
        for notice in due:
            self._send(notice)
        return len(due)

    def _send(self, notice: ExpiryNotice) -> None:
        now = self._now()
        days = notice_due(notice.expires_at, now)
        if days is not None and (notice.last_notice_days is None or days < notice.last_notice_days):
            entry = ScheduleEntry.of(self._streams(credential_stream(notice.credential_id)))
            if entry is None:
                self._table.delete(notice.credential_id)
                return
            if entry.secret_version == notice.secret_version:  # else the schedule gets the new secret soon
                self._record(notice, days, now)
        self._table.mark_sent(notice, days=days, next_at=next_notice(notice.expires_at, now))

    def _record(self, notice: ExpiryNotice, days: int, now: datetime) -> None:
        notice_id = self._new_id()
        metadata = Metadata(
            account_id=notice.account_id,
            actor=ACTOR,
            occurred_at=now,
            request_id=str(notice_id),
            correlation_id=str(notice_id),
        )
        event = NewEvent(event_id=notice_id, payload=_notice(notice, days), metadata=metadata)

        def new_events(_history: Sequence[RecordedEvent]) -> list[NewEvent]:
            return [event]

        expiry = notice.expires_at.isoformat()
        key = f"expiry:{notice.credential_id}:{notice.secret_version}:{expiry}:{days}"
        record_once(self._store, verification_stream(notice.credential_id), key, new_events)


def _notice(notice: ExpiryNotice, days: int) -> ExpiryApproached | ExpiryPassed:
    if days == 0:
        return ExpiryPassed(
            credential_id=notice.credential_id,
            registry_host=notice.registry_host,
            provider=notice.provider,
            secret_version=notice.secret_version,
            expires_at=notice.expires_at,
        )
    return ExpiryApproached(
        credential_id=notice.credential_id,
        registry_host=notice.registry_host,
        provider=notice.provider,
        secret_version=notice.secret_version,
        expires_at=notice.expires_at,
        days=days,
    )
