"""Several processes build one generation: it is what one process builds, whoever of them dies on the way."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import active_children
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from projector import generations, rebuilding, sharding
from projector.rebuilding import Progress, rebuild, switch
from projector.sharding import ShardGone
from projector.workers import WorkerFailed, build_shard
from shared.events.envelope import StreamId
from shared.eventstore.postgres import keys_of, open_pool
from shared.personal.opening import open_key_file
from tests.integration.projector import accounts, lives
from tests.integration.projector.accounts import Accounts
from tests.integration.projector.lives import Connection, Log, content, credential
from tests.integration.projector.sharded import (
    NAMES,
    a_life,
    fill,
    follow,
    interrupted,
    nobody,
    parked,
    positions,
)
from tests.support.log import append_one
from tests.support.timing import PATIENCE, waiting

COMMAND = [sys.executable, "-m", "regcred", "projections"]
# Who starts the tests in the background of a script has SIGINT ignored, and so would what they start.
FROM_A_TERMINAL = ("env", "--default-signal=INT")


@contextmanager
def locked_shard(database_url: str, number: int) -> Iterator[None]:
    """Whoever builds the first shard waits in its transaction."""
    with psycopg.connect(database_url) as holding:
        holding.execute(
            "SELECT FROM rm.rebuild_shards WHERE generation = %s AND shard = 1 FOR UPDATE", [number]
        )
        yield


def somebody_waits(connection: Connection) -> bool:
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        " AND datname = current_database() AND application_name LIKE '%projections')"
    ).fetchone()
    return bool(row and row[0])


@pytest.fixture
def keys(key_file: Path) -> Callable[[], Any]:
    return partial(open_key_file, key_file)


@pytest.fixture
def written(log: Log, projector: Connection, database_url: str, keys: Callable[[], Any]) -> Accounts:
    """Whatever there may be in a log: three accounts, one of them erased in the middle; what nobody can read and
    what the database refuses; a sealed past that ends within a span of the trail.
    """
    personal = keys()
    log.count = 1_000_000  # the accounts count ids of events from 1
    head = fill(log, 300)
    with open_pool(database_url, role="regcred_credentials", size=1) as pool:
        written = Accounts(log, projector, personal, keys_of(pool, personal))
        for number, name in enumerate((*NAMES, *NAMES), start=1001):
            written.happens(name, *accounts.a_life(name, number))
        written.erase("globex")
        personal.renew("globex")
        written.happens("globex", *accounts.a_life("globex", 1010))
        written.happens("initech", lives.added(1020), lives.succeeded(1020, 5), lives.succeeded(1020, 5))
        append_one(
            log.connection, StreamId.credential(credential(1020)), 1, UUID(int=77 << 64), account="initech"
        )
        written.happens("initech", lives.renamed(1020, "waits"), lives.refused(1021, 1021))
    log.sequence()
    log.connection.execute(
        "INSERT INTO rm.audit_segments VALUES (%s, 1, 1, NULL, NULL, %s, clock_timestamp(), true)",
        (head // 2 + 100, bytes(32)),
    )
    return written


@pytest.mark.usefixtures("written")
def test_several_processes_build_what_one_does(
    projector: Connection, database_url: str, keys: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "WORTH_SHARDS", 1)
    steps: list[Progress] = []
    seen: set[str] = set()

    def report(progress: Progress) -> None:
        steps.append(progress)
        seen.update(process.name for process in active_children())

    one = rebuild(database_url, resume=False, switch=True, report=report, personal=keys, processes=1)
    assert not seen
    steps.clear()
    many = rebuild(database_url, resume=False, switch=False, report=report, personal=keys, processes=2)
    assert seen == {"shard-1", "shard-2"}
    assert not active_children()
    assert sharding.shards(projector, many) == []

    rows = content(projector, many)
    assert all(rows.values())
    assert rows == content(projector, one)
    spans = [int(row[1:].split(",")[0]) for row in rows["audit_spans"]]
    assert min(spans) == 1  # the first is sealed as a whole, the second in part
    assert len({reason for _, _, reason in parked(projector, many)}) > 2
    assert parked(projector, many) == parked(projector, one)
    built = generations.generation(projector, many)
    assert built.position == steps[-1].position == steps[-1].head
    assert [step.position for step in steps] == sorted(step.position for step in steps)
    switch(database_url, many, report=nobody, personal=keys)


def test_a_killed_process_ends_the_others_and_a_switch_goes_on(
    log: Log, projector: Connection, database_url: str
) -> None:
    head = fill(log, 60)
    follow(projector)
    number = interrupted(projector, head)
    with ThreadPoolExecutor(1) as thread, locked_shard(database_url, number):
        building = thread.submit(rebuild, database_url, resume=True, switch=False, report=nobody, processes=2)
        waiting(lambda: somebody_waits(log.connection), "the first shard's process is in its transaction")
        waiting(lambda: positions(projector, number) == [0, head], "the other one is done")
        [worker] = [process for process in active_children() if process.name == "shard-1"]
        os.kill(worker.pid or 0, signal.SIGKILL)
        with pytest.raises(WorkerFailed, match="signal 9"):
            building.result(PATIENCE)
    assert not active_children()
    assert positions(projector, number) == [0, head]
    assert generations.generation(projector, number).position == 0
    switch(database_url, number, report=nobody)
    assert generations.live_position(projector) == head
    assert sharding.shards(projector, number) == []
    assert content(projector, number) == content(projector, 1)
    assert parked(projector, number) == parked(projector, 1) != []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_processes_end_with_the_one_that_started_them(
    log: Log, projector: Connection, database_url: str, how: signal.Signals
) -> None:
    head = fill(log, 60)
    follow(projector)
    number = interrupted(projector, head)
    environment = {**os.environ, "REGCRED_DATABASE_URL": database_url}
    rebuilding_again = [*COMMAND, "rebuild", "--resume", "--processes", "2"]
    with locked_shard(database_url, number):
        process = subprocess.Popen(
            [*FROM_A_TERMINAL, *rebuilding_again],
            env=environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            waiting(lambda: somebody_waits(log.connection), "a process is in its transaction")
            workers = children(process.pid)
            assert workers
            if how == signal.SIGINT:
                os.killpg(process.pid, how)  # as a terminal does
            else:
                process.send_signal(how)
            process.wait(PATIENCE)
        finally:
            process.kill()
            process.wait()
        waiting(lambda: not any(map(runs, workers)), "its processes are gone, though the lock is held")
    waiting(lambda: not somebody_waits(log.connection), "the server has noticed")
    assert statuses(projector) == {1: "live", number: "building"}

    if how == signal.SIGINT:
        generations.drop(projector, number)
        assert sharding.shards(projector, number) == []
        return
    again = subprocess.run(
        [*rebuilding_again, "--switch", "--json"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 0, again.stderr
    built = json.loads(again.stdout)
    assert (built["generation"], built["status"], built["position"]) == (number, "live", head)
    assert content(projector, number) == content(projector, 1)


def test_a_process_that_fails_says_why(log: Log, projector: Connection, database_url: str) -> None:
    number = interrupted(projector, fill(log, 6))
    log.connection.execute("REVOKE SELECT ON es.streams FROM regcred_projector")
    environment = {**os.environ, "REGCRED_DATABASE_URL": database_url}
    refused = subprocess.run(
        [*COMMAND, "rebuild", "--resume"], env=environment, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert "failed: InsufficientPrivilege: permission denied" in refused.stderr
    assert "`rebuild --resume` goes on" in refused.stderr
    assert positions(projector, number) == [0, 0]


def test_an_event_that_is_not_found_ends_the_rebuild(
    log: Log, projector: Connection, database_url: str
) -> None:
    head = fill(log, 6)
    number = interrupted(projector, head)
    with log.connection.transaction():
        log.connection.execute("ALTER TABLE es.events DISABLE TRIGGER append_only")
        log.connection.execute(
            "UPDATE es.events SET xid = '1' WHERE type = 'credential.added' AND stream_id = %s",
            (credential(1),),
        )
        log.connection.execute("ALTER TABLE es.events ENABLE ALWAYS TRIGGER append_only")
    environment = {**os.environ, "REGCRED_DATABASE_URL": database_url}
    refused = subprocess.run(
        [*COMMAND, "rebuild", "--resume"], env=environment, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert f"generation {number} has {head - 1} of {head} events; `regcred log verify`" in refused.stderr
    assert statuses(projector)[number] == "building"


def test_who_works_on_a_dropped_generation_changes_nothing_more(
    log: Log, projector: Connection, database_url: str
) -> None:
    head = fill(log, 6)
    number = interrupted(projector, head)
    first, second = sharding.shards(projector, number)
    assert sorted([*first.accounts, *second.accounts]) == sorted(NAMES)
    build_shard(database_url, first, None)
    assert 0 < sharding.note(projector, number) < head
    generations.drop(projector, number)
    with pytest.raises(ShardGone):
        build_shard(database_url, second, None)
    assert log.connection.execute("SELECT count(*) FROM rm.rebuild_shards").fetchone() == (0,)


def test_the_log_of_one_account_is_built_by_one_process(log: Log, projector: Connection) -> None:
    head = log.append_many(a_life(1))
    assert positions(projector, interrupted(projector, head)) == []


def statuses(connection: Connection) -> dict[int, str]:
    return {one.generation: one.status for one in generations.generations(connection)}


def children(parent: int) -> list[int]:
    return [
        pid
        for pid in (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
        if (state := _state(pid)) and int(state[1]) == parent
    ]


def runs(pid: int) -> bool:
    state = _state(pid)
    return bool(state) and state[0] != "Z"


def _state(pid: int) -> list[str]:
    """State, parent and more; nothing of a process that there is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
