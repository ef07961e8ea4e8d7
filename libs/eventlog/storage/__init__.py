"""The event log in PostgreSQL: append to a stream, read a stream or the log, keys of personal data."""

from eventlog.storage.cluster import (
    adopt_log,
    has_lower_transaction_ids,
    has_skipped_events,
    refuse_lower_transaction_ids,
)
from eventlog.storage.database_metrics import DatabaseMetrics
from eventlog.storage.errors import (
    AccountKeyErased,
    EventStoreUnavailable,
    EventTooLarge,
    IdempotencyKeyInFlight,
    IdempotencyKeyReused,
    LowerTransactionIds,
    OutcomeUnknown,
    StaleLeader,
    VersionConflict,
)
from eventlog.storage.log import NOTIFICATIONS, position_of, read_log, stream_grouped, stream_log
from eventlog.storage.personal_keys import KeyMissing, KeyUnreadable, PersonalKeys
from eventlog.storage.postgres import (
    KeyOf,
    append_request,
    call_append,
    keys_of,
    store_errors,
    text_array,
)
from eventlog.storage.refusals import PostgresRefusals
from eventlog.storage.store import Appended, EventStore, IdempotentRequest
from eventlog.storage.stream_reads import load_event, load_newest, load_selected

__all__ = [
    "NOTIFICATIONS",
    "AccountKeyErased",
    "Appended",
    "DatabaseMetrics",
    "EventStore",
    "EventStoreUnavailable",
    "EventTooLarge",
    "IdempotencyKeyInFlight",
    "IdempotencyKeyReused",
    "IdempotentRequest",
    "KeyMissing",
    "KeyOf",
    "KeyUnreadable",
    "LowerTransactionIds",
    "OutcomeUnknown",
    "PersonalKeys",
    "PostgresRefusals",
    "StaleLeader",
    "VersionConflict",
    "adopt_log",
    "append_request",
    "call_append",
    "has_lower_transaction_ids",
    "has_skipped_events",
    "keys_of",
    "load_event",
    "load_newest",
    "load_selected",
    "position_of",
    "read_log",
    "refuse_lower_transaction_ids",
    "store_errors",
    "stream_grouped",
    "stream_log",
    "text_array",
]
