"""Destroy secrets that are no longer needed: at once if that is sure, the others by an hourly sweep.

A removed credential needs none of its secrets, and a discarded rotation not its own.

The sweep (`sweep`) destroys versions that a rotation replaced, after their grace. Until then requests in
progress can read them. Without a grace the previous secret must not be used any more and is destroyed at
once. The sweep also deletes versions that no event refers to.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from threading import Event

import structlog

from chassis.database import Connection
from contracts.credential_events import (
    CredentialRemoved,
    CredentialRotationDiscarded,
    CredentialSecretRotated,
)
from credentials.relay.sweep_paths import sweep_secrets
from eventlog.consumers import ConcurrentConsumer
from eventlog.events import RecordedEvent, StoredEvent
from secretstore.store import SecretPath, SecretStore, SecretStoreError

log = structlog.get_logger()

CONSUMER = "housekeeping"
PAUSE_SECONDS = 0.1  # no caller waits for it, and most events need no work
SWEEP_EVERY = timedelta(hours=1)
SWEEP_AGAIN = timedelta(minutes=1)  # after a sweep that could not reach the store
IDEMPOTENCY_KEY_AGE = timedelta(hours=24)
CONCURRENCY = 4  # secrets that are destroyed concurrently

EVENT_TYPES = frozenset({"credential.removed", "credential.rotation_discarded", "credential.secret_rotated"})
# By the clock of the database, which has written these times.
_DELETE_OLD_KEYS = "DELETE FROM es.idempotency WHERE created_at < clock_timestamp() - %s"


class Housekeeping:
    """An `EventConsumer` that destroys secrets, and retries until each secret is destroyed."""

    def __init__(
        self,
        secrets: SecretStore,
        *,
        tiers: Sequence[timedelta],
        stop: Event,
        monotonic: Callable[[], float],
    ) -> None:
        self._secrets = secrets
        self._monotonic = monotonic
        self._sweep_due = monotonic()
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
            case CredentialRotationDiscarded():
                path = SecretPath(account_id, payload.credential_id)
                self._secrets.destroy(path, [payload.secret_version])
            case _:
                return "kept"
        return "destroyed"

    def _sweep_when_due(self, connection: Connection) -> None:
        if self._monotonic() < self._sweep_due:
            return
        connection.execute(_DELETE_OLD_KEYS, (IDEMPOTENCY_KEY_AGE,))
        try:
            result = sweep_secrets(connection, self._secrets)
        except SecretStoreError as error:
            log.warning("sweep_put_off", error=type(error).__name__)
            self._sweep_due = self._monotonic() + SWEEP_AGAIN.total_seconds()
        else:
            self._sweep_due = self._monotonic() + SWEEP_EVERY.total_seconds()
            log.info("swept", deleted=result.deleted, destroyed=result.destroyed, removed=result.removed)
