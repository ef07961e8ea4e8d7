"""Concurrent transactions, leaders and other databases keep the order of events (`docs/reference/event-log.md`)."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from secrets import SystemRandom

import psycopg
import pytest

from credentials.relay import sequencer
from eventlog.events import StreamId
from eventlog.integrity import LogReader
from eventlog.storage import StaleLeader, read_log, store_errors
from tests.support.eventstore_suite import an_id
from tests.support.log import (
    Connection,
    append_raw,
    fault_of,
    fresh_log,
    lead,
    log_is_complete,
    relay_of,
    scalar,
    sequence,
    stream,
)
from tests.support.postgres import fresh_database
from tests.support.timing import waiting

RACE_SECONDS = float(os.environ.get("REGCRED_TEST_RACE_SECONDS", "8"))
RELAY_PROGRAM = """
import sys, threading
from credentials.relay.sequencer import run
run(sys.argv[1], on_positions=lambda *_: None, stop=threading.Event())
"""


@pytest.fixture
def log_url() -> Iterator[str]:
    with fresh_log() as url:
        yield url


@pytest.fixture
def superuser(log_url: str) -> Iterator[Connection]:
    with psycopg.connect(log_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def relay(log_url: str) -> Iterator[Connection]:
    with relay_of(log_url) as connection:
        yield connection


def streams_in_order(connection: Connection) -> list[StreamId]:
    return [event.stream for event in read_log(connection, 0, 100)]


def test_an_older_transaction_with_a_later_number_keeps_its_events(
    log_url: str, superuser: Connection, relay: Connection
) -> None:
    """A cursor over `seq` alone would have skipped the first one."""
    epoch = lead(relay)
    statement = "INSERT INTO es.streams VALUES (%s, 'acme', 'verification', 1)"
    event = (
        "INSERT INTO es.events (event_id, stream_id, version, type, schema_version, data, meta)"
        " VALUES (%s, %s, 1, 'credential.removed', 1, '{}', '{}')"
    )
    with psycopg.connect(log_url) as older:
        older.execute(statement, (stream("older").id,))  # takes the lower transaction id
        append_raw(superuser, "newer", 0, "newer")  # takes the lower number, and commits
        assert sequence(relay, epoch) == 0
        older.execute(event, (an_id("older"), stream("older").id))
    rows = superuser.execute("SELECT stream_id FROM es.events ORDER BY seq").fetchall()
    assert [row[0] for row in rows] == [stream("newer").id, stream("older").id]
    assert sequence(relay, epoch) == 2
    assert streams_in_order(relay) == [stream("older"), stream("newer")]
    assert fault_of(log_url) is None


def test_a_long_transaction_in_another_database_delays_positions_only(
    log_url: str, superuser: Connection, relay: Connection
) -> None:
    """Waiting events are counted, appends continue, and it recovers by itself. Readers delay nothing."""
    epoch = lead(relay)
    append_raw(superuser, "a", 0, "a1")
    assert sequence(relay, epoch) == 1
    with fresh_database() as elsewhere, psycopg.connect(elsewhere) as foreign:
        foreign.execute("SELECT pg_current_xact_id()")
        for number in range(1, 4):
            append_raw(superuser, "a", number, f"a{number + 1}")
            assert sequence(relay, epoch) == 1
            assert LogReader(superuser).waiting_for_position() == number
        foreign.rollback()
        assert sequence(relay, epoch) == 4
        assert LogReader(superuser).waiting_for_position() == 0
    with psycopg.connect(log_url) as reader:
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        assert scalar(reader, "SELECT count(*) FROM es.log") == 4
        append_raw(superuser, "a", 4, "a5")
        assert sequence(relay, epoch) == 5


def test_a_new_leader_waits_for_the_transaction_of_the_old_one(
    log_url: str, superuser: Connection, relay: Connection
) -> None:
    old = lead(relay)
    append_raw(superuser, "a", 0, "a1")
    led: list[int] = []

    def take_over() -> None:
        with relay_of(log_url) as other:
            led.append(lead(other))

    with relay.transaction():
        assert sequence(relay, old) == 1
        taking_over = threading.Thread(target=take_over)
        taking_over.start()
        taking_over.join(0.3)
        assert not led
    taking_over.join()
    append_raw(superuser, "a", 1, "a2")
    with pytest.raises(StaleLeader), store_errors():
        sequence(relay, old)
    assert sequence(relay, led[0]) == 2
    assert log_is_complete(superuser)


def test_an_idle_round_of_a_stale_leader_is_refused_too(relay: Connection) -> None:
    old = lead(relay)
    lead(relay)
    with pytest.raises(StaleLeader), store_errors():
        sequence(relay, old)


def test_a_round_without_work_takes_no_transaction_id(superuser: Connection, relay: Connection) -> None:
    epoch = lead(relay)
    append_raw(superuser, "a", 0, "a1")
    assert sequence(relay, epoch) == 1
    with relay.transaction():
        assert sequence(relay, epoch) == 1
        assert scalar(relay, "SELECT pg_current_xact_id_if_assigned()") is None


def test_two_forced_leaders_write_no_position_twice(
    log_url: str, superuser: Connection, relay: Connection
) -> None:
    """Even with the same epoch for both, which no program uses, the primary key admits one of them."""
    epoch = lead(relay)
    append_raw(superuser, "a", 0, "a1")
    refused: list[Exception] = []

    def second() -> None:
        with relay_of(log_url) as other:
            try:
                sequence(other, epoch)
            except psycopg.errors.UniqueViolation as error:
                refused.append(error)

    with relay.transaction():
        assert sequence(relay, epoch) == 1
        racing = threading.Thread(target=second)
        racing.start()
        waiting(
            lambda: scalar(
                superuser, "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
            ),
            "the second one waits for the first",
        )
    racing.join()
    assert len(refused) == 1
    assert log_is_complete(superuser)
    assert fault_of(log_url) is None


def test_a_leader_whose_connection_was_cut_leads_again(log_url: str, superuser: Connection) -> None:
    stop, epochs = threading.Event(), []
    running = threading.Thread(
        target=sequencer.run,
        args=(log_url,),
        kwargs={"on_positions": lambda epoch, _position: epochs.append(epoch), "stop": stop},
    )
    running.start()
    try:
        for number in range(3):
            waiting(lambda number=number: epochs and epochs[-1] > number, "it leads")  # type: ignore[misc]
            append_raw(superuser, "a", number, f"a{number}")
            waiting(
                lambda number=number: scalar(superuser, "SELECT count(*) FROM es.log") == number + 1,  # type: ignore[misc]
                "the event has its position",
            )
            ended = superuser.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'regcred_relay:relay'"
            ).fetchall()
            assert ended == [(True,)]
    finally:
        stop.set()
        running.join()
    assert sorted(set(epochs))[:3] == [1, 2, 3]
    assert log_is_complete(superuser)


class Writer(threading.Thread):
    """Appends to streams that others write too; waits before it commits, or rolls back."""

    def __init__(self, url: str, number: int, stop: threading.Event) -> None:
        super().__init__()
        self.url, self.number, self.stop = url, number, stop
        self.committed: set[tuple[str, int]] = set()
        self.events = self.undone = self.lost = 0
        self.chance = SystemRandom()

    def run(self) -> None:
        while not self.stop.is_set():
            try:
                with psycopg.connect(self.url, autocommit=True) as connection:
                    while not self.stop.is_set():
                        self.append(connection)
            except psycopg.OperationalError:
                self.lost += 1  # its connection was ended: whether it had committed, nobody knows

    def append(self, connection: Connection) -> None:
        name = f"s{self.chance.randrange(8)}"
        version = scalar(
            connection,
            "SELECT coalesce((SELECT version FROM es.streams WHERE stream_id = %s), 0)",
            stream(name).id,
        )
        self.events += 1
        undo = self.chance.random() < 0.15
        try:
            with connection.transaction(force_rollback=undo):
                append_raw(connection, name, version, f"w{self.number}-{self.events}")
                time.sleep(self.chance.uniform(0, 0.01))
        except psycopg.Error as error:
            if error.sqlstate != "ES412":
                raise
            return
        if undo:
            self.undone += 1
        else:
            self.committed.add((name, version + 1))


def start_relay(url: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-c", RELAY_PROGRAM, url], env=environment, stderr=subprocess.DEVNULL
    )


def leaders(superuser: Connection) -> int:
    return int(scalar(superuser, "SELECT coalesce(max(epoch), 0) FROM es.leases"))


def somebody_leads(superuser: Connection) -> bool:
    return bool(scalar(superuser, "SELECT es.has_leader('relay')"))


def test_kills_and_rollbacks_lose_repeat_and_reorder_no_event(log_url: str, superuser: Connection) -> None:
    """Writers with delays and rollbacks, connections that are ended, leaders that are killed and replaced.

    REGCRED_TEST_RACE_SECONDS says for how long.
    """
    stop = threading.Event()
    writers = [Writer(log_url, number, stop) for number in range(6)]
    relays = [start_relay(log_url), start_relay(log_url)]
    for writer in writers:
        writer.start()
    deadline = time.monotonic() + RACE_SECONDS

    def enough() -> bool:
        return leaders(superuser) > 1 and sum(len(writer.committed) for writer in writers) > 100

    try:
        while time.monotonic() < deadline or not enough():
            waiting(lambda: somebody_leads(superuser), "one of the relays leads")
            time.sleep(min(1.2, RACE_SECONDS / 4))
            superuser.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                " AND application_name = '' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1"
            )
            relays.append(start_relay(log_url))
            killed = relays.pop(0)
            killed.kill()
            killed.wait()
        stop.set()
        for writer in writers:
            writer.join()
        waiting(lambda: LogReader(superuser).waiting_for_position() == 0, "every event gets its position")
    finally:
        stop.set()
        for process in relays:
            process.kill()
            process.wait()
    in_log = {(row[0], row[1]) for row in superuser.execute("SELECT stream_id, version FROM es.log")}
    in_events = {(row[0], row[1]) for row in superuser.execute("SELECT stream_id, version FROM es.events")}
    committed = {(stream(name).id, version) for writer in writers for name, version in writer.committed}
    assert in_log == in_events
    assert committed <= in_log
    assert len(in_log) - len(committed) <= sum(writer.lost for writer in writers)
    assert log_is_complete(superuser)
    assert fault_of(log_url) is None
    print(
        f"\n{len(in_log)} events, {sum(w.undone for w in writers)} rolled back,"
        f" {sum(w.lost for w in writers)} connections ended, {leaders(superuser)} leaders"
    )
