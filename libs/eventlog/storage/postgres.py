"""The event store in PostgreSQL. An append is one call of a function that only its service may call."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from time import perf_counter
from typing import Any, LiteralString

import msgspec
import psycopg
from psycopg import errors as pg
from psycopg_pool import PoolTimeout, TooManyRequests

from chassis.database import Pool, is_unavailable
from chassis.observability.metrics import (
    APPEND_CONFLICTS,
    APPEND_SECONDS,
    REPLAYS,
)
from chassis.observability.tracing import start_span
from eventlog.events.codec import encode, encode_metadata
from eventlog.events.envelope import NewEvent, StreamId
from eventlog.events.personal import AccountKey, split
from eventlog.storage.errors import (
    AccountKeyErased,
    DuplicateEvent,
    EventStoreUnavailable,
    EventTooLarge,
    IdempotencyKeyInFlight,
    IdempotencyKeyReused,
    LowerTransactionIds,
    OutcomeUnknown,
    StaleLeader,
    VersionConflict,
)
from eventlog.storage.personal_keys import PersonalKeys
from eventlog.storage.store import MAX_EVENT_BYTES, Appended, IdempotentRequest

KeyOf = Callable[[str], AccountKey]  # from an account id

_SPAN = {"db.system.name": "postgresql", "db.operation.name": "append", "db.collection.name": "es.events"}
_REPEATED = "SELECT es.repeated(%s)"


@contextmanager
def store_errors() -> Iterator[None]:
    """Translate errors of the database, for reads and writes.

    Raises:
        EventStoreError: one of its subclasses, by the SQLSTATE. Other errors of psycopg are not translated.
    """
    try:
        yield
    except (PoolTimeout, TooManyRequests, pg.ReadOnlySqlTransaction) as error:
        raise EventStoreUnavailable from error  # the cause is logged
    except psycopg.Error as error:
        match error.sqlstate:
            case "ES412":
                raise VersionConflict(int(error.diag.message_detail or 0)) from None
            case "ES423":
                raise DuplicateEvent from None
            case "ES422":
                raise IdempotencyKeyReused from None
            case "ES409":
                raise IdempotencyKeyInFlight from None
            case "ES410":
                raise StaleLeader from None
            case "ES426":
                raise AccountKeyErased from None
            case "ES431":
                raise LowerTransactionIds from None
            case _:
                pass
        if is_unavailable(error):
            raise OutcomeUnknown from error
        raise


def append_request(
    stream: StreamId,
    expected_version: int,
    events: Sequence[NewEvent],
    request: IdempotentRequest | None,
    key_of: KeyOf | None,
) -> str:
    """The text of an `es.append_request`, the first argument of each append function.

    All events belong to one account. Without `key_of` personal data is not encrypted; tests and operator
    commands do that.

    Raises:
        EventTooLarge: an event exceeds `MAX_EVENT_BYTES`.
        EventStoreUnavailable: the key of the account cannot be read.
    """
    rows = []
    for event in events:
        name, version, payload = encode(event.payload)
        metadata = encode_metadata(event.metadata)
        if len(payload) + len(metadata) > MAX_EVENT_BYTES:
            raise EventTooLarge(len(payload) + len(metadata))
        if key_of and (parts := split(type(event.payload), payload, metadata)):
            payload, metadata = parts.encrypted(event.event_id, key_of(event.metadata.account_id))
        fields = (name, payload.decode(), metadata.decode())
        kind, data, meta = (_quoted(field, 3) for field in fields)
        rows.append(f'\\"({event.event_id},{kind},{version},{data},{meta})\\"')
    account = _quoted(events[0].metadata.account_id)
    key = fingerprint = response = ""
    if request:
        key, fingerprint = _quoted(request.key), _quoted(f"\\x{request.fingerprint.hex()}")
        response = _quoted(msgspec.json.encode(request.response).decode())
    array = "{" + ",".join(rows) + "}"
    return f'({stream.id},{account},{expected_version},"{array}",{key},{fingerprint},{response})'


def text_array(elements: Iterable[str]) -> str:
    """An array in the text form of PostgreSQL.

    psycopg would search each element with regular expressions, which takes a fifth of the time of an append.
    """
    return "{" + ",".join(map(_quoted, elements)) + "}"


def _quoted(text: str, depth: int = 1) -> str:
    """An element of an array or a field of a composite value, in the text form of PostgreSQL.

    `depth` is the number of arrays and composite values around it. Each level doubles the backslashes.
    """
    escapes = "\\" * ((1 << depth) - 1)
    quote = escapes[: len(escapes) // 2] + '"'
    return quote + text.replace("\\", escapes + "\\").replace('"', escapes + '"') + quote


def call_append(
    pool: Pool,
    statement: LiteralString,
    arguments: Sequence[Any],
    request: IdempotentRequest | None,
    *,
    undone: bool = False,
) -> Appended:
    """Call an append function. If `undone`, its transaction is rolled back, so only its errors remain.

    Its first argument is an `append_request` and its result an `es.appended`. Raises the errors that
    `EventStore.append` documents.
    """
    try:
        with (
            _append_metrics(),
            store_errors(),
            pool.connection() as connection,
            connection.transaction(force_rollback=True) if undone else nullcontext(),
        ):
            row = connection.execute(statement, arguments).fetchone()
    except pg.UniqueViolation as error:
        if error.diag.constraint_name != "events_event_id_key":
            raise
        return _repeated(pool, arguments[0], request)
    if row is None:
        raise OutcomeUnknown
    version, replayed, response = row
    if not replayed:
        return Appended(version=version, replayed=False, response=request.response if request else None)
    REPLAYS.inc()
    return Appended(version=version, replayed=True, response=response)


@contextmanager
def _append_metrics() -> Iterator[None]:
    """Record the duration, the span and a conflict of an append."""
    began = perf_counter()
    with start_span("append es.events", "client", attributes=_SPAN):
        try:
            yield
        except VersionConflict:
            APPEND_CONFLICTS.inc()
            raise
        finally:
            APPEND_SECONDS.observe(perf_counter() - began)


def _repeated(pool: Pool, appended: str, request: IdempotentRequest | None) -> Appended:
    """The result of an append whose events the log has already; nothing was written now.

    Raises:
        DuplicateEvent: an id belongs to another event, or is twice in the append.
    """
    with store_errors(), pool.connection() as connection:
        row = connection.execute(_REPEATED, (appended,)).fetchone()
    if row is None or row[0] is None:
        raise DuplicateEvent  # the same id twice in this append
    REPLAYS.inc()
    return Appended(version=row[0], replayed=True, response=request.response if request else None)


def keys_of(pool: Pool, personal: PersonalKeys | None) -> KeyOf | None:
    """The function that returns the key for new events of an account. It raises `EventStoreUnavailable`."""
    if personal is None:
        return None

    def key_of(account_id: str) -> AccountKey:
        with store_errors():
            return personal.current(pool, account_id)

    return key_of
