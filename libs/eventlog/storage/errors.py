"""What an event store may answer instead of doing it.

EventStoreError
├── VersionConflict          the stream moved on: `actual` is its version now
├── DuplicateEvent           an event id belongs to another event of the log
├── IdempotencyKeyReused     the key came before, with another request
├── IdempotencyKeyInFlight   the key's first request is still being worked on
├── EventTooLarge            an event is over 256 KiB; brokers refuse such messages for ever
├── StaleLeader              another relay leads
├── AccountKeyErased         the account's personal data was erased a moment ago: seal with its next key
├── YoungerCluster           the log came from a cluster whose transaction ids were higher
└── EventStoreUnavailable    the database cannot be reached; nothing was written
    └── OutcomeUnknown       the connection broke while writing: it may be there or not
"""

from chassis.database import DatabaseUnavailable


class EventStoreError(Exception):
    """Something an event store could not do."""


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
        super().__init__("the request with this idempotency key is still being worked on")


class EventTooLarge(EventStoreError):
    def __init__(self, size: int) -> None:
        super().__init__(f"the event has {size} bytes, more than a broker takes")
        self.size = size


class StaleLeader(EventStoreError):
    def __init__(self) -> None:
        super().__init__("another relay leads")


class AccountKeyErased(EventStoreError):
    def __init__(self) -> None:
        super().__init__("the key of the account was erased")


class YoungerCluster(EventStoreError):
    def __init__(self) -> None:
        super().__init__(
            "this log was restored into a cluster whose transaction ids are younger than its events, so new "
            "events would not be seen; stop everything that writes, run `regcred log adopt`, and start again"
        )


class EventStoreUnavailable(EventStoreError, DatabaseUnavailable):
    """The database cannot be reached; nothing was written."""


class OutcomeUnknown(EventStoreUnavailable):
    """Ask again with the same idempotency key to learn what happened."""
