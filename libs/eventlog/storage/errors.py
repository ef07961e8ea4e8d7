"""Errors of the event store.

EventStoreError
├── VersionConflict          the stream has another version, `actual`
├── DuplicateEvent           an event id belongs to another event of the log
├── IdempotencyKeyReused     the key was used for another request
├── IdempotencyKeyInFlight   the first request with the key is not complete
├── EventTooLarge            an event exceeds 256 KiB; a broker would never accept its message
├── StaleLeader              another relay leads
├── AccountKeyErased         the account's key was erased during the append: encrypt with its next key
├── LowerTransactionIds      the log was restored into a cluster with lower transaction ids
└── EventStoreUnavailable    the database cannot be reached; nothing was written
    └── OutcomeUnknown       the connection failed during the append; it may have been committed
"""

from chassis.database import DatabaseUnavailable
from chassis.runtime.unavailable import Unavailable


class EventStoreError(Exception):
    """The event store did not execute a request."""


class VersionConflict(EventStoreError):
    def __init__(self, actual: int) -> None:
        super().__init__(f"the stream is at version {actual}")
        self.actual = actual


class DuplicateEvent(EventStoreError):
    def __init__(self) -> None:
        super().__init__("an event id belongs to another event of the log")


class IdempotencyKeyReused(EventStoreError):
    def __init__(self) -> None:
        super().__init__("the idempotency key was used for another request")


class IdempotencyKeyInFlight(EventStoreError):
    def __init__(self) -> None:
        super().__init__("the request with this idempotency key is not complete yet")


class EventTooLarge(EventStoreError):
    def __init__(self, size: int) -> None:
        super().__init__(f"the event has {size} bytes, which is more than a broker accepts")
        self.size = size


class StaleLeader(EventStoreError):
    def __init__(self) -> None:
        super().__init__("another relay leads")


class AccountKeyErased(EventStoreError):
    def __init__(self) -> None:
        super().__init__("the key of the account was erased")


class LowerTransactionIds(EventStoreError, Unavailable):
    """Appends are refused, because the events would never get a position. Nothing was written."""

    code = "log_not_adopted"
    sentence = (
        "the database was restored into another cluster, and its log cannot continue there;"
        " the operator must run `regcred log adopt`"
    )
    retry_after = 60

    def __init__(self) -> None:
        super().__init__(
            "this log was restored into a cluster with lower transaction ids than its events have, so new "
            "events would get no position; stop all services, run `regcred log adopt`, and start them again"
        )


class EventStoreUnavailable(EventStoreError, DatabaseUnavailable):
    """The database cannot be reached; nothing was written."""


class OutcomeUnknown(EventStoreUnavailable):
    """The append may have been committed. Repeat it with the same idempotency key to learn the outcome."""
