"""A rebuilt generation has the same indexes, and building them delays no other work."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest

from projector.rebuild.rebuild import RebuildProgress, rebuild
from projector.write import indexes as indexes_module
from projector.write.generations import create
from projector.write.indexes import create_indexes
from tests.integration.projector import payloads
from tests.integration.projector.payloads import Connection, Log
from tests.support.timing import PATIENCE, waiting


def indexes(connection: Connection, number: int) -> dict[str, str]:
    """Each valid one's definition, without the generation's number."""
    rows = connection.execute(
        "SELECT c.relname, replace(pg_get_indexdef(i.indexrelid), n.nspname, 'rm_g')"
        " FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = 'rm_g' || %s AND i.indisvalid",
        (number,),
    ).fetchall()
    return dict(rows)


@contextmanager
def old_snapshot(database_url: str) -> Iterator[None]:
    """A snapshot like that of a backup: an index build waits for its end."""
    with psycopg.connect(database_url) as backup:
        backup.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        backup.execute("SELECT 1")
        yield


def waits(connection: Connection) -> bool:
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'regcred:indexes'"
        " AND datname = current_database() AND wait_event_type = 'Lock')"
    ).fetchone()
    return bool(row and row[0])


def test_a_rebuilt_generation_has_the_indexes_of_the_live_one(
    log: Log, projector: Connection, database_url: str
) -> None:
    log.append(payloads.added(1))
    steps: list[RebuildProgress] = []
    number = rebuild(database_url, resume=False, switch=False, report=steps.append)
    live = indexes(log.connection, 1)
    assert len(live) > 10
    assert indexes(log.connection, number) == live
    assert [step.indexes for step in steps if step.indexes][-1] == 1
    assert list(create_indexes(database_url, projector, number)) == []


def test_indexes_of_small_tables_are_built_during_a_backup(
    log: Log, projector: Connection, database_url: str
) -> None:
    log.append(payloads.added(1))
    with ThreadPoolExecutor(1) as thread, old_snapshot(database_url):
        number = thread.submit(
            rebuild, database_url, resume=False, switch=False, report=lambda _: None
        ).result(PATIENCE)
    assert indexes(log.connection, number) == indexes(log.connection, 1)


def test_an_index_build_delays_no_positions_and_is_repeated_after_a_kill(
    log: Log, projector: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexes_module, "BRIEF_BYTES", 0)  # as if its tables were large
    number = create(database_url)
    before = log.append(payloads.added(1))
    with ThreadPoolExecutor(1) as thread, old_snapshot(database_url):
        making = thread.submit(lambda: list(create_indexes(database_url, projector, number)))
        waiting(lambda: waits(log.connection), "an index waits for the backup")
        assert log.append(payloads.renamed(1, "crew")) == before + 1
        assert not making.done()
        log.connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'regcred:indexes'"
        )
        assert isinstance(making.exception(PATIENCE), psycopg.OperationalError)
    row = log.connection.execute("SELECT count(*) FROM pg_index WHERE NOT indisvalid").fetchone()
    assert row == (1,)
    lacking, *_ = list(create_indexes(database_url, projector, number))
    assert lacking > 1
    assert indexes(log.connection, number) == indexes(log.connection, 1)
