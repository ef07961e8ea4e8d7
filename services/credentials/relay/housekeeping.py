"""Destroy secrets that are no longer needed: at once after a removal, the others by an hourly sweep.

The sweep destroys versions of failed appends, and versions that a rotation replaced, after
`previous_valid_until`. Until then requests in progress can read them. If that is the time of the rotation
itself, the previous secret must not be used any more and is destroyed at once.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from threading import Event
from typing import Any

import psycopg
import structlog

from chassis.database import Connection
from contracts.credential_events import CredentialRemoved, CredentialSecretRotated
from credentials.relay.sweep import sweep
from eventlog.consumers import ConcurrentConsumer
from eventlog.events import RecordedEvent, StoredEvent
from secretstore.store import SecretPath, SecretStore, SecretStoreError

log = structlog.get_logger()

CONSUMER = "housekeeping"
PAUSE_SECONDS = 0.1  # no caller waits for it, and most events need no work
ORPHAN_GRACE = timedelta(minutes=15)
SWEEP_EVERY = timedelta(hours=1)
SWEEP_AGAIN = timedelta(minutes=1)  # after a sweep that could not reach the store
IDEMPOTENCY_KEY_AGE = timedelta(hours=24)
CONCURRENCY = 4  # secrets that are destroyed concurrently

EVENT_TYPES = frozenset({"credential.removed", "credential.secret_rotated"})
_REFERENCED = """
SELECT EXISTS (SELECT FROM credentials.current WHERE credential_id = %(id)s AND secret_version = %(version)s)
    OR EXISTS (SELECT FROM es.events
               WHERE stream_id = %(id)s AND type = 'credential.secret_rotated'
                 AND (data->'previous_secret'->>'version')::int = %(version)s
                 AND (data->>'previous_valid_until')::timestamptz > %(now)s)
"""


class Housekeeping:
    """An `EventConsumer` that destroys secrets, and retries until each secret is destroyed."""

    def __init__(
        self, secrets: SecretStore, *, now: Callable[[], datetime], tiers: Sequence[timedelta], stop: Event
    ) -> None:
        self._secrets = secrets
        self._now = now
        self._swept: datetime | None = None
        self._events = ConcurrentConsumer(
            self._destroy, name=CONSUMER, types=EVENT_TYPES, concurrency=CONCURRENCY, tiers=tiers, stop=stop
        )

    def begin(self, checkpoint: int) -> None:
        self._events.begin(checkpoint)

    def handle(self, connection: Connection, events: Sequence[StoredEvent]) -> int:
        checkpoint = self._events.handle(connection, events)
        self._sweep_when_due(connection)
        return checkpoint

    def finish(self, connection: Connection) -> int:
        return self._events.finish(connection)

    def close(self) -> None:
        """Wait for requests in progress."""
        self._events.close()

    def _destroy(self, event: RecordedEvent) -> str:
        payload, account_id = event.payload, event.metadata.account_id
        match payload:
            case CredentialRemoved():
                self._secrets.remove(SecretPath(account_id, payload.credential_id))
            case CredentialSecretRotated() if payload.previous_valid_until <= event.metadata.occurred_at:
                path = SecretPath(account_id, payload.credential_id)
                self._secrets.destroy(path, [payload.previous_secret.version])
            case _:
                return "kept"
        return "destroyed"

    def _sweep_when_due(self, connection: Connection) -> None:
        now = self._now()
        if self._swept is not None and now - self._swept < SWEEP_EVERY:
            return
        connection.execute("DELETE FROM es.idempotency WHERE created_at < %s", (now - IDEMPOTENCY_KEY_AGE,))
        try:
            result = sweep_secrets(connection, self._secrets, now=now, grace=ORPHAN_GRACE)
        except SecretStoreError as error:
            log.warning("sweep_put_off", error=type(error).__name__)
            self._swept = now - SWEEP_EVERY + SWEEP_AGAIN
        else:
            self._swept = now
            log.info("swept", destroyed=result[0], removed=result[1])


def sweep_secrets(
    connection: psycopg.Connection[Any], secrets: SecretStore, *, now: datetime, grace: timedelta
) -> tuple[int, int]:
    """Destroy unreferenced versions and paths older than `grace`. Return the number of each."""

    def is_referenced(path: SecretPath, version: int) -> bool:
        row = connection.execute(
            _REFERENCED,
            {"id": path.credential_id, "version": version, "now": now},
        ).fetchone()
        return bool(row and row[0])

    result = sweep(secrets, is_referenced, now=now, grace=grace)
    return result.destroyed, result.removed
