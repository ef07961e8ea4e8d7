"""A log of a test: migrated, written by appends, with positions assigned by the leading relay."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg

from chassis.database import Pool, open_pool
from contracts.streams import verification_stream
from eventlog.events import NewEvent, RecordedEvent, StreamId
from eventlog.integrity import LogReader, verify_chain
from eventlog.integrity.chain import Fault
from eventlog.storage import (
    Appended,
    IdempotentRequest,
    PersonalKeys,
    append_request,
    call_append,
    keys_of,
    load_selected,
)
from tests.support.eventstore_suite import an_id
from tests.support.postgres import migrated_database
from tests.support.timing import waiting
from verifier.postgres_store import PostgresVerificationStore

Connection = psycopg.Connection[Any]

APPEND = """
SELECT version FROM es.append(%s, ROW(%s, %s, %s, ARRAY[ROW(%s, %s, %s, %s, %s)::es.new_event], %s, 'f', '{}')::es.append_request)
"""


_APPEND_ANY = "SELECT * FROM es.append('verification', %s)"
_ALL = "SELECT stream_id, version FROM es.events WHERE stream_id = %(stream)s"


@contextmanager
def fresh_log() -> Iterator[str]:
    """The URL (of a superuser) of a migrated database."""
    with migrated_database() as url:
        yield url


class AnyEventStore(PostgresVerificationStore):
    """Appends any events to verification streams, as the owner of the log: no service may do that."""

    def __init__(self, pool: Pool, personal: PersonalKeys | None = None) -> None:
        super().__init__(pool, personal)
        self._appends = pool
        self._keys = keys_of(pool, personal)

    def append(
        self,
        stream: StreamId,
        expected_version: int,
        events: Sequence[NewEvent],
        *,
        request: IdempotentRequest | None = None,
    ) -> Appended:
        argument = append_request(stream, expected_version, events, request, self._keys)
        return call_append(self._appends, _APPEND_ANY, [argument], request)


@contextmanager
def writing(url: str, *, size: int = 2) -> Iterator[AnyEventStore]:
    with open_pool(url, role="none", size=size) as pool:
        yield AnyEventStore(pool)


@contextmanager
def relay_of(url: str) -> Iterator[Connection]:
    with psycopg.connect(url, autocommit=True, options="-c role=regcred_relay") as connection:
        yield connection


def stream(text: str) -> StreamId:
    return verification_stream(an_id(text))


def stream_events(pool: Pool, stream: StreamId, personal: PersonalKeys | None = None) -> list[RecordedEvent]:
    """All events of a stream, the oldest first. Services read only the newest ones."""
    with pool.connection() as connection:
        return load_selected(connection, _ALL, {"stream": stream.id}, personal)


def append_raw(connection: Connection, name: str, expected: int, event: str) -> None:
    """An append in the transaction that the connection is in."""
    append_one(connection, stream(name), expected, an_id(event))


def append_one(
    connection: Connection,
    stream: StreamId,
    expected: int,
    event_id: UUID,
    *,
    name: str = "credential.removed",
    schema_version: int = 1,
    data: str = "{}",
    meta: str = "{}",
    account: str = "acme",
    key: str | None = None,
) -> None:
    """Append one event of any content, readable or not."""
    event = (event_id, name, schema_version, data, meta)
    connection.execute(APPEND, (stream.category, stream.id, account, expected, *event, key))


def lead(relay: Connection) -> int:
    return int(scalar(relay, "SELECT es.lead('relay', '0')"))


def sequence(relay: Connection, epoch: int, limit: int = 1000) -> int:
    return int(scalar(relay, "SELECT es.sequence(%s, %s)", epoch, limit))


def sequence_all(relay: Connection, epoch: int) -> int:
    """Assign positions to all events that are committed. Returns the end of the log.

    A transaction that runs, of any database of the server, holds later events back until it ends.
    """
    total = scalar(relay, "SELECT count(*) FROM es.events")
    waiting(lambda: sequence(relay, epoch, 10_000) >= total, "every event has a position")
    return sequence(relay, epoch)


def scalar(connection: Connection, query: Any, *parameters: object) -> Any:
    row = connection.execute(query, parameters).fetchone()
    assert row is not None
    return row[0]


def fault_of(url: str) -> Fault | None:
    """What `regcred log verify` finds."""
    with LogReader.snapshot(url) as reader:
        return verify_chain(reader.links(0)).fault or reader.fault_outside_chain()


def log_is_complete(connection: Connection) -> bool:
    """Whether positions are dense and unique, every event has one, and each stream is in its order."""
    return bool(
        scalar(
            connection,
            """
            SELECT (SELECT count(*) FROM es.events) = count(*) AND count(*) = coalesce(max(position), 0)
                   AND count(DISTINCT (stream_id, version)) = count(*)
                   AND bool_and(version = nth)
            FROM (SELECT *, row_number() OVER (PARTITION BY stream_id ORDER BY position) AS nth FROM es.log) l
            """,
        )
    )
