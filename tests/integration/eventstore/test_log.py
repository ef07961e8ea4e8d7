"""Positions: dense, after commit, by one leader, however transactions overlap."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors as pg

from chassis.database import open_pool
from contracts.streams import verification_stream
from eventlog.events import StreamId
from eventlog.integrity import LogReader, verify_chain
from eventlog.storage import position_of, read_log, stream_log
from eventlog.storage.log import load_checkpoint, save_checkpoint
from tests.support.eventstore_suite import an_event, an_id
from tests.support.log import AnyEventStore, append_one, append_raw
from tests.support.postgres import migrated_database

Connection = psycopg.Connection[Any]


@pytest.fixture
def database_url() -> Iterator[str]:
    with migrated_database() as url:
        yield url


@pytest.fixture
def store(database_url: str) -> Iterator[AnyEventStore]:
    with open_pool(database_url, role="none", size=2) as pool:
        yield AnyEventStore(pool)


@pytest.fixture
def relay(database_url: str) -> Iterator[Connection]:
    with psycopg.connect(database_url, autocommit=True, options="-c role=regcred_relay") as connection:
        yield connection


def lead(relay: Connection) -> int:
    return int(relay.execute("SELECT es.lead('relay', '0')").fetchone()[0])  # type: ignore[index]


def sequence(relay: Connection, epoch: int) -> int:
    return int(relay.execute("SELECT es.sequence(%s, 1000)", (epoch,)).fetchone()[0])  # type: ignore[index]


def stream(text: str) -> StreamId:
    return verification_stream(an_id(text))


def test_positions_are_dense_and_keep_each_streams_order(store: AnyEventStore, relay: Connection) -> None:
    for number in range(5):
        store.append(stream("a"), number, [an_event(f"a{number}")])
        store.append(stream("b"), number, [an_event(f"b{number}")])
    assert sequence(relay, lead(relay)) == 10
    events = read_log(relay, 0, 100)
    assert [event.position for event in events] == list(range(1, 11))
    for name in ("a", "b"):
        versions = [event.version for event in events if event.stream == stream(name)]
        assert versions == [1, 2, 3, 4, 5]
    assert position_of(relay, stream("b").id, 5) == 10
    assert [event.position for event in read_log(relay, 7, 2)] == [8, 9]


def test_streamed_events_equal_events_that_are_read(store: AnyEventStore, relay: Connection) -> None:
    for number in range(5):
        store.append(stream("a"), number, [an_event(f"a{number}")])
    sequence(relay, lead(relay))
    assert list(stream_log(relay, 1, 3)) == read_log(relay, 1, 3)
    assert list(stream_log(relay, 5, 3)) == []


def test_a_stream_that_is_abandoned_leaves_its_connection_usable(
    store: AnyEventStore, relay: Connection
) -> None:
    for number in range(5):
        store.append(stream("a"), number, [an_event(f"a{number}")])
    sequence(relay, lead(relay))
    streamed = stream_log(relay, 0, 5)
    assert next(streamed).position == 1
    streamed.close()
    assert [event.position for event in read_log(relay, 0, 5)] == [1, 2, 3, 4, 5]


def test_an_event_that_commits_late_is_not_lost(
    store: AnyEventStore, relay: Connection, database_url: str
) -> None:
    """A transaction that began first and commits last is not lost (`docs/reference/event-log.md`, "Positions")."""
    epoch = lead(relay)
    with psycopg.connect(database_url) as slow:
        append_raw(slow, "slow", 0, "slow")
        store.append(stream("fast"), 0, [an_event("fast")])
        assert sequence(relay, epoch) == 0  # above the xid horizon: the slow transaction may come before it
        slow.commit()
    assert sequence(relay, epoch) == 2
    assert [event.stream for event in read_log(relay, 0, 10)] == [stream("slow"), stream("fast")]


def test_a_rolled_back_append_leaves_no_gap(
    store: AnyEventStore, relay: Connection, database_url: str
) -> None:
    with psycopg.connect(database_url) as undone:
        append_raw(undone, "undone", 0, "undone")
        undone.rollback()
    store.append(stream("kept"), 0, [an_event("kept")])
    assert sequence(relay, lead(relay)) == 1


def test_an_append_must_come_first_in_its_transaction(database_url: str) -> None:
    """A transaction id taken before the stream's lock could invert the order of a stream."""
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT pg_current_xact_id()")
        with pytest.raises(pg.ActiveSqlTransaction):
            append_raw(connection, "late", 0, "late")


@pytest.mark.parametrize(
    ("account", "kind", "key"),
    [("ac\nme", "credential.removed", "k"), ("acme", "a\nb", "k"), ("acme", "credential.removed", "")],
)
def test_an_append_with_a_line_break_or_an_empty_key_is_refused(
    database_url: str, account: str, kind: str, key: str
) -> None:
    with psycopg.connect(database_url) as connection, pytest.raises(pg.CheckViolation):
        append_one(connection, stream("lines"), 0, an_id("lines"), name=kind, account=account, key=key)


def test_an_earlier_leader_is_fenced(store: AnyEventStore, relay: Connection) -> None:
    first = lead(relay)
    second = lead(relay)
    store.append(stream("fenced"), 0, [an_event("fenced")])
    with pytest.raises(psycopg.Error, match="another relay leads"):
        sequence(relay, first)
    assert sequence(relay, second) == 1
    assert relay.execute("SELECT es.published(%s, 1)", (first,)).fetchone() == (False,)
    assert relay.execute("SELECT es.published(%s, 1)", (second,)).fetchone() == (True,)


@pytest.mark.parametrize("table", ["events", "log"])
@pytest.mark.parametrize(
    "statement", ["UPDATE es.{} SET version = 9", "DELETE FROM es.{}", "TRUNCATE es.{} CASCADE"]
)
def test_stored_events_cannot_be_changed(
    store: AnyEventStore, relay: Connection, database_url: str, table: str, statement: str
) -> None:
    store.append(stream("fixed"), 0, [an_event("fixed")])
    sequence(relay, lead(relay))
    with psycopg.connect(database_url, autocommit=True) as superuser:
        superuser.execute("SET session_replication_role = replica")  # even if triggers are disabled
        with pytest.raises(pg.InsufficientPrivilege, match="append-only"):
            superuser.execute(statement.format(table))


def test_each_row_of_the_log_is_chained_to_the_one_before_and_python_agrees(
    store: AnyEventStore, relay: Connection, database_url: str
) -> None:
    """Text that the two sides could spell differently: escapes, numbers, white space, what is not ASCII."""
    odd = 'a\nb\t"c" \u2028 é 😀 \\u0041 \x7f <>&'
    for number in range(3):
        store.append(stream("chain"), number, [an_event(f"chain{number}", reason=odd)])
    with psycopg.connect(database_url) as superuser:
        numbers = """ {"n": [1.10, 1e400, -0, 12345678901234567890.000], "b": null, "a": "\\u00e9"} """
        append_one(superuser, stream("numbers"), 0, an_id("numbers"), data=numbers)
    assert sequence(relay, lead(relay)) == 4
    for zone in ("UTC", "Asia/Kathmandu"):
        with psycopg.connect(database_url, options=f"-c timezone={zone} -c datestyle=German") as superuser:
            found = verify_chain(LogReader(superuser).links(0))
        assert (found.fault, found.end.position) == (None, 4)


def test_only_one_of_two_consumers_moves_a_checkpoint(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as owner:
        assert load_checkpoint(owner, "reader") == 0
        assert save_checkpoint(owner, "reader", after=0, position=4)
        assert not save_checkpoint(owner, "reader", after=0, position=5)
        assert save_checkpoint(owner, "reader", after=4, position=5)
        assert load_checkpoint(owner, "reader") == 5
