"""A real dump, restored into a real second cluster with lower transaction ids (ADR 8)."""

import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from credentials.relay import sequencer
from eventlog.integrity import LogReader
from eventlog.storage import (
    LowerTransactionIds,
    adopt_log,
    has_lower_transaction_ids,
    read_log,
    refuse_lower_transaction_ids,
)
from operations.embedded_postgres import EmbeddedPostgres
from operations.migrate.migrations import migrate
from operations.migrate.preparation import prepare
from tests.support.eventstore_suite import an_event
from tests.support.log import (
    append_raw,
    fault_of,
    fresh_log,
    lead,
    log_is_complete,
    relay_of,
    scalar,
    sequence,
    stream,
    writing,
)
from tests.support.postgres import dump, program_of_the_wheel

BURN = "DO $$ BEGIN FOR i IN 1..20000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"


@pytest.fixture(scope="module")
def younger() -> Iterator[str]:
    """The URL of a superuser of a new cluster, which knows the roles."""
    folder = tempfile.mkdtemp(prefix="regcred-younger-")
    server = EmbeddedPostgres(Path(folder) / "data")
    migrate(server.url)
    yield server.url
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def restored(younger: str, tmp_path: Path) -> str:
    """A log of three positions and two events without one, restored into the younger cluster."""
    with psycopg.connect(younger, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS restored WITH (FORCE)")
        connection.execute("CREATE DATABASE restored")
    with fresh_log() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SET synchronous_commit = off")
            connection.execute(BURN)
        with writing(url) as store, relay_of(url) as relay:
            for number in range(3):
                store.append(stream("a"), number, [an_event(f"a{number}")])
            assert sequence(relay, lead(relay)) == 3
            store.append(stream("a"), 3, [an_event("a3")])
            store.append(stream("b"), 0, [an_event("b0")])
        file = tmp_path / "dump.sql"
        file.write_text(dump(url))
    target = make_conninfo(younger, dbname="restored")
    subprocess.run(
        [program_of_the_wheel("psql"), "-q", "-v", "ON_ERROR_STOP=1", "-f", file, target],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return target


def stored_hashes(url: str) -> list[bytes]:
    with LogReader.snapshot(url) as reader:
        return [link.hash for link in reader.links(0)]


def test_a_cluster_with_lower_transaction_ids_is_refused_until_its_log_is_adopted(
    restored: str,
) -> None:
    with psycopg.connect(restored, autocommit=True) as connection:
        assert has_lower_transaction_ids(connection)
        with pytest.raises(LowerTransactionIds, match="regcred log adopt"):
            prepare(restored, None)
        positions = scalar(connection, "SELECT count(*) FROM es.log")
        stop = threading.Event()
        relay = threading.Thread(
            target=sequencer.run, args=(restored,), kwargs={"on_positions": lambda *_: None, "stop": stop}
        )
        relay.start()
        append_raw(connection, "a", 4, "a4")  # a writer that did not wait
        relay.join(1.0)
        stop.set()
        relay.join()
        assert scalar(connection, "SELECT count(*) FROM es.log") == positions
        before = stored_hashes(restored)
        assert len(before) == 3

        adopted = adopt_log(restored)
        assert adopted is not None
        assert (adopted.position, adopted.assigned) == (6, 3)
        assert stored_hashes(restored)[:3] == before
        assert not has_lower_transaction_ids(connection)
        assert adopt_log(restored) is None
        prepare(restored, None)

        append_raw(connection, "a", 5, "a5")
        append_raw(connection, "c", 0, "c0")
        with relay_of(restored) as relay_connection:
            refuse_lower_transaction_ids(relay_connection)
            assert sequence(relay_connection, lead(relay_connection)) == 8
        assert log_is_complete(connection)
        assert [event.position for event in read_log(connection, 0, 100)] == list(range(1, 9))
    assert fault_of(restored) is None


def test_appends_during_an_adoption_are_all_in_the_log(restored: str) -> None:
    stop = threading.Event()
    appended = [0] * 4

    def write(number: int) -> None:
        with psycopg.connect(restored, autocommit=True) as connection:
            while not stop.is_set():
                append_raw(connection, f"w{number}", appended[number], f"w{number}-{appended[number]}")
                appended[number] += 1

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    while min(appended) < 20:
        stop.wait(0.01)
    adopted = adopt_log(restored)
    seen = list(appended)
    while any(now < then + 20 for now, then in zip(appended, seen, strict=True)):
        stop.wait(0.01)
    stop.set()
    for writer in writers:
        writer.join()
    assert adopted is not None
    with relay_of(restored) as relay, psycopg.connect(restored) as connection:
        assert sequence(relay, lead(relay), 100_000) == 5 + sum(appended)
        assert log_is_complete(connection)
    assert fault_of(restored) is None


def test_old_events_get_no_second_position_after_an_adoption(restored: str) -> None:
    """Their transaction ids are ahead of the adoption's, and come into view as the counter passes them."""
    assert adopt_log(restored) is not None
    with psycopg.connect(restored, autocommit=True) as connection, relay_of(restored) as relay:
        connection.execute("SET synchronous_commit = off")
        while scalar(
            connection, "SELECT pg_current_xact_id() < (SELECT xid FROM es.events ORDER BY xid DESC LIMIT 1)"
        ):
            connection.execute(BURN)
        epoch = lead(relay)
        assert sequence(relay, epoch) == 5
        append_raw(connection, "later", 0, "later")
        assert sequence(relay, epoch) == 6
        assert log_is_complete(connection)
    assert fault_of(restored) is None


@pytest.mark.parametrize("role", ["regcred_credentials", "regcred_relay", "regcred_projector"])
def test_no_service_may_adopt(restored: str, role: str) -> None:
    with (
        psycopg.connect(restored, options=f"-c role={role}") as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("SELECT es.adopt()")
