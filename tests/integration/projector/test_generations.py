"""A generation is built and switched to while readers, writers and the projector run."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread
from typing import Any

import psycopg
import pytest

from eventlog.consumers import Notifications, follow
from eventlog.storage import read_log
from projector.read.bootstrap import QUERY_ROLE
from projector.rebuild import rebuild as rebuild_module
from projector.rebuild.build_process import ROLE
from projector.rebuild.rebuild import ReadersInTheWay, RebuildProgress, rebuild, switch
from projector.write import generations
from projector.write.consumer import CONSUMER, ReadModelConsumer
from projector.write.generations import (
    RETIRED_GRACE,
    AdministrationInProgress,
    GenerationInUse,
    UnknownGeneration,
    administration,
    has_event,
)
from projector.write.lag import lag_behind
from tests.integration.projector import payloads
from tests.integration.projector.payloads import Connection, Log, content, credential
from tests.support.timing import PATIENCE, waiting


def nobody(_progress: RebuildProgress) -> None:
    """Report no progress."""


def test_a_retired_generation_is_dropped_after_its_grace(
    log: Log, projector: Connection, database_url: str
) -> None:
    log.append(payloads.added(1))
    assert rebuild(database_url, resume=False, switch=True, report=nobody) == 2
    assert rebuild(database_url, resume=False, switch=True, report=nobody) == 3
    [first, second, live] = generations.generations(projector)
    assert live.dropped_after is None
    retired_for(log, 1, RETIRED_GRACE + timedelta(seconds=1))
    retired_for(log, 2, RETIRED_GRACE - timedelta(hours=1))
    assert first.dropped_after is not None
    assert second.dropped_after is not None

    with psycopg.connect(database_url, autocommit=True) as other, administration(other):
        ReadModelConsumer().handle(projector, [])
    assert [one.generation for one in generations.generations(projector)] == [1, 2, 3]
    with psycopg.connect(database_url) as reader:
        reader.execute("SELECT FROM rm_g1.credentials")
        ReadModelConsumer().handle(projector, [])  # does not wait for the reader
    assert [one.generation for one in generations.generations(projector)] == [1, 2, 3]
    models = ReadModelConsumer()
    models.handle(projector, [])
    assert [one.generation for one in generations.generations(projector)] == [2, 3]
    retired_for(log, 2, 2 * RETIRED_GRACE)
    models.handle(projector, [])  # the next time is in an hour
    assert [one.generation for one in generations.generations(projector)] == [2, 3]


def retired_for(log: Log, number: int, time: timedelta) -> None:
    log.connection.execute(
        "UPDATE rm.generations SET updated_at = clock_timestamp() - %s WHERE generation = %s", (time, number)
    )


@contextmanager
def running_projector(database_url: str) -> Iterator[None]:
    """The projector's loop, as its process runs it."""
    stop, models = Event(), ReadModelConsumer()
    wakeups = Notifications(database_url, role=ROLE)
    thread = Thread(
        target=lambda: follow(
            models,
            database_url=database_url,
            role=ROLE,
            name=CONSUMER,
            wakeups=wakeups,
            stop=stop,
            checkpoint=models.redrive_and_get_checkpoint,
        )
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(PATIENCE)
        wakeups.close()
        assert not thread.is_alive()


def statuses(connection: Connection) -> dict[int, str]:
    return {one.generation: one.status for one in generations.generations(connection)}


def a_life(number: int) -> list[Any]:
    return [
        payloads.added(number, f"team {number}"),
        payloads.succeeded(number, number),
        payloads.renamed(number, f"crew {number}"),
        payloads.restricted(number, "shop"),
        payloads.rotated(number, 2),
        payloads.requested(number, 2),
        *([payloads.removed(number)] if number % 5 == 0 else []),
        payloads.failed(number, 100_000 + number, version=2),
    ]


def test_a_rebuilt_generation_equals_the_live_one(log: Log, projector: Connection, database_url: str) -> None:
    head = log.append_many([event for number in range(1, 701) for event in a_life(number)])
    models = ReadModelConsumer()
    position = models.redrive_and_get_checkpoint(projector)
    while events := read_log(projector, position, 333):
        position = models.handle(projector, events)
    steps: list[RebuildProgress] = []
    number = rebuild(database_url, resume=False, switch=False, report=steps.append)
    assert content(projector, 1) == content(projector, number)
    assert len(content(projector, number)["audit_events"]) == head == steps[-1].position == steps[-1].head
    assert statuses(projector) == {1: "live", 2: "building"}
    assert [step.position for step in steps] == sorted(step.position for step in steps)


def test_a_rebuild_runs_beside_writers_and_the_projector_follows_its_switch(
    log: Log, projector: Connection, database_url: str
) -> None:
    log.append_many([event for number in range(1, 501) for event in a_life(number)])
    with running_projector(database_url):
        done = Event()

        def write() -> None:
            number = 1000
            while not done.is_set():
                number += 1
                log.append(*a_life(number))

        with ThreadPoolExecutor(1) as writer:
            writing = writer.submit(write)
            try:
                assert rebuild(database_url, resume=False, switch=True, report=nobody) == 2
                assert statuses(projector) == {1: "retired", 2: "live"}
            finally:
                done.set()
            writing.result(PATIENCE)
        head = log.append(payloads.added(99_999))
        waiting(lambda: generations.live_position(projector) == head, "the projector follows")
    assert generations.generation(projector, 1).position < head
    switch(database_url, 1, report=nobody)  # back; it is caught up first
    assert generations.generation(projector, 1).position == head
    assert content(projector, 1) == content(projector, 2)


def test_readers_see_their_own_writes_during_switches(
    log: Log, projector: Connection, database_url: str
) -> None:
    """Writers wait for their own write, as `Regcred-Wait-For` does, during ten switches."""
    readers = 4
    log.append(*(payloads.added(number, "name 0") for number in range(1, readers + 1)))
    stop, written, done = Event(), Event(), dict.fromkeys(range(1, readers + 1), 0)

    def give_positions() -> None:
        with psycopg.connect(database_url, autocommit=True) as relay:
            while not written.is_set():  # every writer waits for the position of its last event
                relay.execute("SELECT es.sequence(%s, 1000)", (log.epoch,))
                relay.execute("NOTIFY es_log")
                written.wait(0.005)

    def write_and_read(number: int) -> int:
        count = 0
        with (
            psycopg.connect(database_url, autocommit=True) as connection,
            psycopg.connect(database_url, autocommit=True, options=f"-c role={QUERY_ROLE}") as reader,
        ):
            writer = Log(connection, log.epoch, count=number * 1_000_000)
            while not stop.is_set():
                count += 1
                payload = payloads.renamed(number, f"name {count}")
                writer.append_payload(payload)
                deadline = time.monotonic() + PATIENCE
                while not has_event(reader, None, credential(number), count + 1):
                    assert time.monotonic() < deadline, "an own write is not seen"
                    time.sleep(0.002)
                row = reader.execute(
                    "SELECT name, version FROM rm.credentials WHERE credential_id = %s", (credential(number),)
                ).fetchone()
                assert row == (f"name {count}", count + 1)
                rows = reader.execute(
                    "SELECT count(*) FROM rm.audit_events WHERE credential_id = %s", (credential(number),)
                ).fetchone()
                assert rows == (count + 1,)
                done[number] = count
        return count

    with running_projector(database_url), ThreadPoolExecutor(readers + 1) as threads:
        relay = threads.submit(give_positions)
        work = [threads.submit(write_and_read, number) for number in range(1, readers + 1)]
        try:
            assert rebuild(database_url, resume=False, switch=True, report=nobody) == 2
            for turn in range(9):
                before = min(done.values())
                switch(database_url, 1 + turn % 2, report=nobody)
                waiting(lambda before=before: min(done.values()) > before)  # type: ignore[misc]
        finally:
            stop.set()
            wait(work, timeout=PATIENCE)
            written.set()
        relay.result(PATIENCE)
        counts = [one.result(PATIENCE) for one in work]
    assert min(counts) > 5


def test_a_dropped_generation_is_removed(projector: Connection, database_url: str) -> None:
    second = rebuild(database_url, resume=False, switch=True, report=nobody)
    third = generations.create(database_url)
    generations.drop(projector, third)
    generations.drop(projector, 1)
    assert statuses(projector) == {second: "live"}
    schemas = projector.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'rm\\_g%'").fetchall()
    assert schemas == [(f"rm_g{second}",)]


def test_drops_and_switches_of_wrong_generations_are_refused(
    log: Log, projector: Connection, database_url: str
) -> None:
    with pytest.raises(GenerationInUse, match="live"):
        generations.drop(projector, 1)
    with pytest.raises(psycopg.Error, match="is live"):
        projector.execute("SELECT rm.drop_generation(1)")
    with pytest.raises(UnknownGeneration):
        generations.drop(projector, 7)
    with pytest.raises(UnknownGeneration):
        switch(database_url, 7, report=nobody)
    with pytest.raises(GenerationInUse, match="live already"):
        switch(database_url, 1, report=nobody)
    with pytest.raises(GenerationInUse, match="being built"):
        rebuild(database_url, resume=True, switch=False, report=nobody)
    log.append(payloads.added(1))
    models = ReadModelConsumer()
    models.handle(projector, read_log(projector, 0, 10))
    number = generations.create(database_url)
    with psycopg.connect(database_url) as owner, pytest.raises(psycopg.Error, match="behind"):
        owner.execute("SELECT rm.go_live(%s)", (number,))


def test_concurrent_administration_is_refused(projector: Connection, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as somebody, administration(somebody):
        with pytest.raises(AdministrationInProgress):
            rebuild(database_url, resume=False, switch=True, report=nobody)
        with pytest.raises(AdministrationInProgress):
            generations.drop(projector, 1)
    assert statuses(projector) == {1: "live"}
    assert rebuild(database_url, resume=False, switch=True, report=nobody) == 2


def test_a_long_query_postpones_a_switch(
    log: Log, projector: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild_module, "LOCK_MILLISECONDS", 50)
    monkeypatch.setattr(rebuild_module, "ATTEMPTS", 3)
    log.append(payloads.added(1))
    number = rebuild(database_url, resume=False, switch=False, report=nobody)
    with psycopg.connect(database_url) as reader:
        reader.execute("SELECT count(*) FROM rm.audit_events")
        with pytest.raises(ReadersInTheWay):
            switch(database_url, number, report=nobody)
        assert statuses(projector) == {1: "live", 2: "building"}
    switch(database_url, number, report=nobody)
    assert statuses(projector) == {1: "retired", 2: "live"}


def test_a_generation_without_a_new_column_is_still_projected(log: Log, projector: Connection) -> None:
    log.connection.execute("DROP VIEW rm.credentials; ALTER TABLE rm_g1.credentials DROP COLUMN username")
    log.append(*a_life(1))
    ReadModelConsumer().handle(projector, read_log(projector, 0, 100))
    assert projector.execute("SELECT name, secret_version FROM rm_g1.credentials").fetchall() == [
        ("crew 1", 2)
    ]


def test_the_lag_is_measured_in_events_and_seconds(
    log: Log, projector: Connection, database_url: str
) -> None:
    assert (lag_behind(projector, 0).events, lag_behind(projector, 0).seconds) == (0, 0.0)
    log.append(payloads.added(1), payloads.renamed(1, "crew"))
    first = generations.generation(projector, 1).lag
    assert first.events == 2
    waiting(lambda: generations.generation(projector, 1).lag.seconds > first.seconds + 0.1, "the lag grows")
    assert generations.generation(projector, 1).lag.seconds < 10 * PATIENCE
    with psycopg.connect(database_url, autocommit=True, options=f"-c role={QUERY_ROLE}") as query:
        assert not has_event(query, None, credential(1), 1)
