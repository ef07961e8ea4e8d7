"""The owner of the database changes stored data, and `regcred log verify` reports where and how."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from eventlog.integrity import START, Anchor, LogReader, verify_chain
from tests.support.eventstore_suite import an_event
from tests.support.log import append_raw, fault_of, fresh_log, lead, relay_of, sequence, stream, writing

EVENTS = 8
Superuser = psycopg.Connection[Any]

PREPARE = """
CREATE TABLE saved_streams AS SELECT * FROM es.streams;
CREATE TABLE saved_events AS SELECT * FROM es.events;
CREATE TABLE saved_log AS SELECT * FROM es.log;
CREATE FUNCTION is_at(e es.events, p bigint) RETURNS boolean LANGUAGE sql RETURN
    EXISTS (SELECT FROM public.saved_log l WHERE (l.stream_id, l.version, l.position) = (e.stream_id, e.version, p));
ALTER TABLE es.streams DISABLE TRIGGER ALL;
ALTER TABLE es.events DISABLE TRIGGER ALL;
ALTER TABLE es.log DISABLE TRIGGER ALL;
"""
RESTORE = """
DELETE FROM es.streams;
DELETE FROM es.events;
DELETE FROM es.log;
INSERT INTO es.streams SELECT * FROM saved_streams;
INSERT INTO es.events OVERRIDING SYSTEM VALUE SELECT * FROM saved_events;
INSERT INTO es.log SELECT * FROM saved_log;
"""


@pytest.fixture(scope="module")
def log_url() -> Iterator[str]:
    """Positions 1 to 8, versions 1 to 4 of each of two streams in turn; its triggers and foreign keys are off."""
    with fresh_log() as url:
        with writing(url) as store, relay_of(url) as relay:
            for number in range(EVENTS // 2):
                for name in ("a", "b"):
                    store.append(stream(name), number, [an_event(f"{name}{number}")])
            assert sequence(relay, lead(relay)) == EVENTS
        with psycopg.connect(url) as superuser:
            superuser.execute(PREPARE)
        yield url


@pytest.fixture
def superuser(log_url: str) -> Iterator[Superuser]:
    """May do anything; its changes are rolled back."""
    with psycopg.connect(log_url, autocommit=True) as connection:
        yield connection
        connection.execute(RESTORE)
    assert fault_of(log_url) is None


FIELDS = {
    "event_id": "UPDATE es.events SET event_id = gen_random_uuid() WHERE is_at(events, %s)",
    "type": "UPDATE es.events SET type = type || 'x' WHERE is_at(events, %s)",
    "schema_version": "UPDATE es.events SET schema_version = 2 WHERE is_at(events, %s)",
    "data": """UPDATE es.events SET data = data || '{"reason": "another"}' WHERE is_at(events, %s)""",
    "meta": """UPDATE es.events SET meta = meta || '{"source_ip": "192.0.2.1"}' WHERE is_at(events, %s)""",
    "recorded_at": "UPDATE es.events SET recorded_at = recorded_at + '1 microsecond' WHERE is_at(events, %s)",
}


@pytest.mark.parametrize("at", [1, 4, EVENTS])
@pytest.mark.parametrize("field", FIELDS)
def test_a_changed_field_is_found(log_url: str, superuser: Superuser, field: str, at: int) -> None:
    assert superuser.execute(FIELDS[field], (at,)).rowcount == 1
    fault = fault_of(log_url)
    assert fault is not None
    assert (fault.kind, fault.position) == ("hash_differs" if at == EVENTS else "changed_event", at)


TAMPERINGS: dict[str, tuple[str, str | None, int | None]] = {
    "category": ("UPDATE es.streams SET category = 'credential'", "changed_event", 1),
    "account": ("UPDATE es.streams SET account_id = 'other'", "changed_event", 1),
    "hash": ("UPDATE es.log SET hash = sha256(hash) WHERE position = 3", "hash_differs", 3),
    "one bit of a hash": (
        "UPDATE es.log SET hash = set_bit(hash, 7, 1 - get_bit(hash, 7)) WHERE position = 6",
        "hash_differs",
        6,
    ),
    "position": ("UPDATE es.log SET position = 99 WHERE position = 5", "missing_position", 5),
    "event deleted": ("DELETE FROM es.events WHERE is_at(events, 5)", "missing_event", 5),
    "row deleted": ("DELETE FROM es.log WHERE position = 5", "missing_position", 5),
    "event and row deleted": (
        "DELETE FROM es.events WHERE is_at(events, 5); DELETE FROM es.log WHERE position = 5",
        "missing_position",
        5,
    ),
    "last row deleted": ("DELETE FROM es.log WHERE position = 8", None, None),
    "last event and row deleted": (
        "DELETE FROM es.events WHERE is_at(events, 8); DELETE FROM es.log WHERE position = 8",
        "missing_event",
        None,
    ),
    "all deleted": ("DELETE FROM es.streams; DELETE FROM es.events; DELETE FROM es.log", None, None),
    "stream deleted": ("DELETE FROM es.streams", "missing_event", 1),
    "log closed over a deleted row": (
        """
        DELETE FROM es.events WHERE is_at(events, 5);
        DELETE FROM es.log WHERE position = 5;
        UPDATE es.log SET position = position + 100 WHERE position > 5;
        UPDATE es.log SET position = position - 101 WHERE position > 100
        """,
        "changed_event",
        5,
    ),
    "two rows swapped": (
        """
        UPDATE es.log SET position = CASE position WHEN 3 THEN 104 ELSE 103 END WHERE position IN (3, 4);
        UPDATE es.log SET position = position - 100 WHERE position > 100
        """,
        "changed_event",
        3,
    ),
    "contents swapped": (
        """
        UPDATE es.events e SET data = o.data FROM es.events o
        WHERE is_at(e, 2) AND is_at(o, 4) OR is_at(e, 4) AND is_at(o, 2)
        """,
        "changed_event",
        2,
    ),
    "event inserted with a row": (
        """
        INSERT INTO es.events (event_id, stream_id, version, type, schema_version, data, meta)
            SELECT gen_random_uuid(), stream_id, 9, type, 1, data, meta FROM es.events LIMIT 1;
        INSERT INTO es.log SELECT 9, xid, seq, stream_id, 9, sha256('') FROM es.events WHERE version = 9
        """,
        "hash_differs",
        9,
    ),
    "event inserted where positions were given": (
        """
        INSERT INTO es.events (xid, event_id, stream_id, version, type, schema_version, data, meta)
            SELECT '3', gen_random_uuid(), stream_id, 9, type, 1, data, meta FROM es.events LIMIT 1
        """,
        "event_outside",
        None,
    ),
    "event inserted behind": (
        """
        INSERT INTO es.events (event_id, stream_id, version, type, schema_version, data, meta)
            SELECT gen_random_uuid(), stream_id, 9, type, 1, data, meta FROM es.events LIMIT 1
        """,
        "missing_event",
        None,
    ),
    "version of a stream": ("UPDATE es.streams SET version = version + 1", "missing_event", None),
    "transaction": ("UPDATE es.events SET xid = '3' WHERE version = 4", "order_changed", 7),
    "number": ("UPDATE es.log SET seq = seq + 1 WHERE position = 2", "order_changed", 2),
    "row points elsewhere": (
        "UPDATE es.log SET version = version + 100 WHERE position = 6",
        "missing_event",
        6,
    ),
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_a_manipulation_is_found(log_url: str, superuser: Superuser, tampering: str) -> None:
    statements, kind, position = TAMPERINGS[tampering]
    with LogReader.snapshot(log_url) as reader:
        checkpoint = reader.end()
    assert checkpoint.position == EVENTS
    for statement in statements.split(";"):
        assert superuser.execute(statement).rowcount > 0
    fault = fault_of(log_url)
    found = (fault.kind, fault.position) if fault else (None, None)
    assert found == (kind, position)
    if kind is None:  # only an earlier checkpoint shows it
        with LogReader.snapshot(log_url) as reader:
            remembered = verify_chain(reader.links(0), checkpoint=checkpoint)
        assert remembered.fault is not None
        assert remembered.fault.kind == "missing_after"
        assert remembered.fault.position == remembered.end.position + 1


def test_a_rewritten_log_differs_from_the_signed_checkpoint(log_url: str, superuser: Superuser) -> None:
    with LogReader.snapshot(log_url) as reader:
        checkpoint = reader.end()
    superuser.execute("UPDATE es.events SET data = '{}' WHERE is_at(events, 2)")
    superuser.execute("DELETE FROM es.log")
    with relay_of(log_url) as relay:
        assert sequence(relay, lead(relay)) == EVENTS
    assert fault_of(log_url) is None
    with LogReader.snapshot(log_url) as reader:
        fault = verify_chain(reader.links(0), checkpoint=checkpoint).fault
    assert fault is not None
    assert (fault.kind, fault.position) == ("checkpoint_differs", EVENTS)


def test_every_stored_byte_changes_the_hash(log_url: str, superuser: Superuser) -> None:
    """One character after the other of one event's JSON, wherever the change still is JSON."""
    text = superuser.execute("SELECT data::text FROM es.events WHERE is_at(events, 4)").fetchone()
    assert text is not None
    original, changed = str(text[0]), 0
    for index, character in enumerate(original):
        other = "x" if character != "x" else "y"
        try:
            superuser.execute(
                "UPDATE es.events SET data = %s::jsonb WHERE is_at(events, 4)",
                (original[:index] + other + original[index + 1 :],),
            )
        except psycopg.errors.InvalidTextRepresentation:
            continue
        changed += 1
        fault = fault_of(log_url)
        assert fault is not None, index
        assert fault.position == 4
    assert changed > 30


def test_events_without_a_position_are_no_fault(log_url: str) -> None:
    with fresh_log() as url, psycopg.connect(url, autocommit=True) as connection:
        assert fault_of(url) is None
        append_raw(connection, "waiting", 0, "waiting")
        assert fault_of(url) is None
        with LogReader.snapshot(url) as reader:
            assert reader.end() == START == Anchor(0, bytes(32))
