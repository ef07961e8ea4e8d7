"""A real dump, restored into a real second cluster with lower transaction ids (ADR 8)."""

import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask
from psycopg.conninfo import make_conninfo

from chassis.database import open_pool
from chassis.web import problems
from chassis.web.api_part import pool_check
from credentials.relay import sequencer
from eventlog.integrity import LogReader
from eventlog.storage import (
    LowerTransactionIds,
    adopt_log,
    has_lower_transaction_ids,
    has_skipped_events,
    read_log,
    refuse_lower_transaction_ids,
)
from operations.doctor.database import database_findings
from operations.embedded_postgres import EmbeddedPostgres
from operations.migrate.migrations import migrate
from operations.migrate.preparation import prepare
from tests.support.eventstore_suite import an_event, an_id
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
from tests.support.operator_commands import run_command
from tests.support.postgres import dump, program_of_the_wheel
from tests.support.timing import PATIENCE, waiting

SOME = 20_000
BURN = f"DO $$ BEGIN FOR i IN 1..{SOME} LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"


@pytest.fixture(scope="module")
def younger() -> Iterator[str]:
    with new_cluster() as url:
        yield url


@pytest.fixture(scope="module")
def youngest_cluster() -> Iterator[str]:
    with new_cluster() as url:
        yield url


@pytest.fixture
def youngest(youngest_cluster: str) -> str:
    """An empty database of a third cluster."""
    return empty_database(youngest_cluster)


@contextmanager
def new_cluster() -> Iterator[str]:
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
    target = empty_database(younger)
    with fresh_log() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            beyond(connection, newest_id(target) + SOME)
        with writing(url) as store, relay_of(url) as relay:
            for number in range(3):
                store.append(stream("a"), number, [an_event(f"a{number}")])
            assert sequence(relay, lead(relay)) == 3
            store.append(stream("a"), 3, [an_event("a3")])
            store.append(stream("b"), 0, [an_event("b0")])
        file = tmp_path / "dump.sql"
        file.write_text(dump(url))
    restore(file, target)
    return target


def empty_database(cluster: str) -> str:
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS restored WITH (FORCE)")
        connection.execute("CREATE DATABASE restored")
    return make_conninfo(cluster, dbname="restored")


def newest_id(url: str) -> int:
    with psycopg.connect(url) as connection:
        return int(scalar(connection, "SELECT pg_snapshot_xmax(pg_current_snapshot())::text"))


def restore(file: Path, target: str) -> None:
    subprocess.run(
        [program_of_the_wheel("psql"), "-q", "-v", "ON_ERROR_STOP=1", "-f", file, target],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def append_unchecked(connection: psycopg.Connection[Any], name: str, expected: int, event: str) -> None:
    """An append as releases before 0.9.0 accepted it in such a cluster, in one transaction."""
    where, event_id = stream(name), an_id(event)
    with connection.transaction():
        connection.execute(
            "INSERT INTO es.streams AS s (stream_id, account_id, category, version)"
            " VALUES (%s, 'acme', %s, 1) ON CONFLICT (stream_id) DO UPDATE SET version = s.version + 1",
            (where.id, where.category),
        )
        connection.execute(
            "INSERT INTO es.events (event_id, stream_id, version, type, schema_version, data, meta)"
            " VALUES (%s, %s, %s, 'credential.removed', 1, '{}', '{}')",
            (event_id, where.id, expected + 1),
        )


def beyond_restored_ids(connection: psycopg.Connection[Any]) -> None:
    """Let the cluster assign all transaction ids that the log has."""
    beyond(connection, int(scalar(connection, "SELECT max(xid)::text FROM es.events")))


def beyond(connection: psycopg.Connection[Any], passed: int) -> None:
    connection.execute("SET synchronous_commit = off")
    while int(scalar(connection, "SELECT pg_current_xact_id()::text")) <= passed:
        connection.execute(BURN)


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
        append_unchecked(connection, "a", 4, "a4")  # a writer that did not wait
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


def test_appends_are_refused_until_the_log_is_adopted(restored: str) -> None:
    with psycopg.connect(restored, autocommit=True) as connection:
        ids = scalar(connection, "SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
        with pytest.raises(psycopg.Error) as refused:
            append_raw(connection, "new", 0, "new")
        assert refused.value.sqlstate == "ES431"
        assert scalar(connection, "SELECT pg_snapshot_xmax(pg_current_snapshot())::text") == ids
        assert scalar(connection, "SELECT count(*) FROM es.events") == 5
        with writing(restored) as store, pytest.raises(LowerTransactionIds):
            store.append(stream("new"), 0, [an_event("new")])
        with open_pool(restored, role="regcred_credentials", size=1) as pool:
            ready = pool_check(pool, refuse_lower_transaction_ids)
            with pytest.raises(LowerTransactionIds):
                ready()
            assert adopt_log(restored) is not None
            ready()
        append_raw(connection, "new", 0, "new")


def test_a_command_of_an_operator_that_appends_is_refused_with_the_remedy(
    restored: str, tmp_path: Path
) -> None:
    environment = {"REGCRED_DATABASE_URL": restored, "REGCRED_HOME": str(tmp_path)}
    erase = "accounts erase acme --yes --wait 0"
    keys = "SELECT count(wrapped) FROM personal.keys"
    with psycopg.connect(restored, autocommit=True) as connection:
        connection.execute("INSERT INTO personal.keys (account_id, number, wrapped) VALUES ('acme', 1, 'x')")
        refused = run_command(erase, environment)
        assert (refused.exit_code, "run `regcred log adopt`" in refused.stderr) == (1, True), refused.output
        assert scalar(connection, keys) == 1
        assert adopt_log(restored) is not None
        assert run_command(erase, environment).exit_code == 3  # erased, and no projector runs
        assert scalar(connection, keys) == 0


def test_the_refusal_is_a_problem_document_with_the_remedy() -> None:
    app = Flask("refusing")
    problems.install(app)

    @app.post("/")
    def command() -> str:
        raise LowerTransactionIds

    response = app.test_client().post("/")
    assert response.status_code == 503
    assert response.json is not None
    assert response.json["code"] == "log_not_adopted"
    assert "regcred log adopt" in response.json["detail"]
    assert response.headers["Retry-After"] == "60"


def test_skipped_events_get_a_position_from_an_adoption(restored: str) -> None:
    """The cluster has passed the transaction ids of the log since these events were accepted."""
    with psycopg.connect(restored, autocommit=True) as connection, relay_of(restored) as relay:
        append_unchecked(connection, "c", 0, "c0")
        append_unchecked(connection, "a", 4, "a4")
        beyond_restored_ids(connection)
        assert not has_lower_transaction_ids(connection)
        assert sequence(relay, lead(relay)) == 5
        assert has_skipped_events(connection)
        [found] = [each for each in database_findings(connection) if each.check == "database.cluster"]
        assert (found.result, found.remedy is not None and "log adopt" in found.remedy) == ("failed", True)
        fault = fault_of(restored)
        assert fault is not None
        assert "regcred log adopt" in fault.detail

        adopted = adopt_log(restored)
        assert adopted is not None
        assert (adopted.position, adopted.assigned) == (7, 2)
        assert not has_skipped_events(connection)
        assert log_is_complete(connection)
        append_raw(connection, "c", 1, "c1")
        assert sequence(relay, lead(relay)) == 8
    assert fault_of(restored) is None


def test_appends_during_an_adoption_are_all_in_the_log(restored: str) -> None:
    stop = threading.Event()
    appended = [0] * 4

    def write(number: int) -> None:
        with psycopg.connect(restored, autocommit=True) as connection:
            while not stop.is_set():
                try:
                    append_raw(connection, f"w{number}", appended[number], f"w{number}-{appended[number]}")
                except psycopg.Error as error:
                    if error.sqlstate != "ES431":
                        raise
                    refused.set()
                else:
                    appended[number] += 1

    refused = threading.Event()
    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    assert refused.wait(PATIENCE)
    assert appended == [0] * 4
    adopted = adopt_log(restored)
    waiting(lambda: min(appended) >= 20)
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
        beyond_restored_ids(connection)
        epoch = lead(relay)
        assert sequence(relay, epoch) == 5
        append_raw(connection, "later", 0, "later")
        assert sequence(relay, epoch) == 6
        assert log_is_complete(connection)
    assert fault_of(restored) is None


@pytest.mark.parametrize("ahead", ["events", "adoption"])
def test_a_second_restore_is_refused_until_the_log_is_adopted_again(
    restored: str, youngest: str, tmp_path: Path, ahead: str
) -> None:
    """Only events without a position, or only the first adoption, have ids that the third cluster has not assigned."""
    with psycopg.connect(restored, autocommit=True) as connection:
        if ahead == "events":
            assert adopt_log(restored) is not None
        else:
            append_unchecked(connection, "skipped", 0, "skipped")
        newest = (
            "SELECT greatest((SELECT max(xid) FROM es.events), (SELECT max(xid) FROM es.adoptions))::text"
        )
        passed = scalar(connection, newest)
        beyond(connection, max(int(passed), newest_id(youngest)) + 2 * SOME)
        if ahead == "events":
            append_raw(connection, "after", 0, "after")
        else:
            assert adopt_log(restored) is not None
    file = tmp_path / "second.sql"
    file.write_text(dump(restored))
    restore(file, youngest)
    with psycopg.connect(youngest, autocommit=True) as connection:
        beyond(connection, int(passed))
        with pytest.raises(psycopg.Error) as refused:
            append_raw(connection, "new", 0, "new")
        assert refused.value.sqlstate == "ES431"
        assert has_lower_transaction_ids(connection)
        adopted = adopt_log(youngest)
        assert adopted is not None
        append_raw(connection, "new", 0, "new")
        assert not has_lower_transaction_ids(connection)
        with relay_of(youngest) as relay:
            assert sequence(relay, lead(relay)) == adopted.position + 1
        assert log_is_complete(connection)
    assert fault_of(youngest) is None


@pytest.mark.parametrize("role", ["regcred_credentials", "regcred_relay", "regcred_projector"])
def test_no_service_may_adopt(restored: str, role: str) -> None:
    with (
        psycopg.connect(restored, options=f"-c role={role}") as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("SELECT es.adopt()")
