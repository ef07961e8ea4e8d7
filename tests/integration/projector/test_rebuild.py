"""A rebuild has the same result as the live projection, for any log and after any interruption."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from chassis.database import open_pool
from contracts.streams import credential_stream
from eventlog.storage import PersonalKeys, keys_of, read_log
from projector.archive import segment_rows
from projector.rebuild.rebuild import RebuildProgress, rebuild, switch
from projector.write import generations
from projector.write.batch_writer import BatchWriter, lock_number
from projector.write.generations import AdministrationInProgress
from projector.write.projections.projected_event import project
from projector.write.tables import Tables
from secretstore.keyfile import KeyFile
from secretstore.personal_keys import open_personal_keys
from tests.integration.projector import accounts, payloads
from tests.integration.projector.accounts import Accounts
from tests.integration.projector.comparing import differences
from tests.integration.projector.payloads import Connection, Log, content, credential
from tests.support.log import append_one
from tests.support.timing import PATIENCE, waiting

NAMES = ("acme", "globex", "initech")
ACMES = [number for number in range(1, 9) if credential(number).int % len(NAMES) == 0]
COMMAND = [sys.executable, "-m", "regcred", "projections"]
# Tests that a script starts in the background ignore SIGINT, and so would their processes.
FROM_A_TERMINAL = ("env", "--default-signal=INT")


def nobody(_progress: RebuildProgress) -> None:
    """Report no progress."""


def a_life(number: int) -> list[Any]:
    return [
        payloads.added(number, f"team {number}"),
        payloads.succeeded(number, number),
        payloads.renamed(number, f"crew {number}"),
        payloads.restricted(number, "shop"),
        payloads.issued(number, number, f"ghcr.io/acme/shop:{number % 7}"),
        payloads.rotated(number, 2),
        *([payloads.removed(number)] if number % 5 == 0 else []),
        payloads.failed(number, 100_000 + number, version=2),
    ]


def account_of(payload: Any) -> str:
    return NAMES[payload.credential_id.int % len(NAMES)]


@pytest.fixture
def personal(key_file: Path) -> PersonalKeys:
    return open_personal_keys(KeyFile.load(key_file))


@pytest.fixture
def written(log: Log, projector: Connection, database_url: str, personal: PersonalKeys) -> Iterator[Accounts]:
    """Three accounts with 300 credentials, and some whose personal data is encrypted; an event that nobody can
    read, events that the database refuses, and metadata that nobody can read.
    """
    log.count = 1_000_000  # `accounts` counts ids of events from 1
    log.append_many([event for number in range(1, 301) for event in a_life(number)], account_of)
    log.append_raw(payloads.stream_of(payloads.added(ACMES[0])), "credential.dreamt", "{}")
    with open_pool(database_url, role="regcred_credentials", size=1) as pool:
        written = Accounts(log, projector, personal, keys_of(pool, personal))
        for number, name in enumerate((*NAMES, *NAMES), start=1001):
            written.happens(name, *accounts.a_life(name, number))
        written.happens(
            "initech", payloads.added(1020), payloads.succeeded(1020, 5), payloads.succeeded(1020, 5)
        )
        append_one(
            log.connection, credential_stream(credential(1020)), 1, UUID(int=77 << 64), account="initech"
        )
        written.happens("initech", payloads.renamed(1020, "waits"), payloads.refused(1021, 1021))
        log.sequence()
        yield written


def erase_globex(written: Accounts) -> None:
    """Erase globex, between earlier and later events of it."""
    kept = (
        number for number in range(1, 301) if number % 5 and account_of(payloads.added(number)) == "globex"
    )
    written.happens("globex", *(payloads.removed(number) for number in kept))
    written.erase("globex")
    written.personal.renew("globex")
    written.happens("globex", *accounts.a_life("globex", 1010))


def dead_letters(connection: Connection, number: int) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT position, stream_id, reason FROM es.dead_letters WHERE consumer = %s ORDER BY position",
        (generations.consumer_of(number),),
    ).fetchall()


def test_a_rebuild_equals_the_live_projection(
    written: Accounts, log: Log, projector: Connection, database_url: str, personal: PersonalKeys
) -> None:
    erase_globex(written)
    written.project()
    archived = 2 * 1024 - 100  # the first span as a whole, the second in part
    log.connection.execute(
        "INSERT INTO rm.audit_segments (first_position, last_position, row_count, manifest, archived_at, finished)"
        " VALUES (1, %s, 1, %s, clock_timestamp(), true)",
        (archived, bytes(32)),
    )
    segment_rows.delete_rows(log.connection, archived)
    assert differences(database_url, personal) == []

    steps: list[RebuildProgress] = []
    number = rebuild(database_url, resume=False, switch=False, report=steps.append, personal=personal)
    rows = content(projector, number)
    assert all(rows.values())
    assert rows == content(projector, 1)
    assert len({reason for _, _, reason in dead_letters(projector, number)}) > 2
    assert dead_letters(projector, number) == dead_letters(projector, 1)
    built = generations.generation(projector, number)
    assert built.position == steps[-1].position == steps[-1].head
    assert [step.position for step in steps] == sorted(step.position for step in steps)
    switch(database_url, number, report=nobody, personal=personal)
    assert differences(database_url, personal) == []


def test_a_rebuild_includes_events_during_it(
    written: Accounts, log: Log, projector: Connection, database_url: str, personal: PersonalKeys
) -> None:
    """An erasure of events that it has built and of others; an unreadable event."""
    number = generations.create(database_url)
    half = read_log(projector, 0, 10_000, personal=personal)[:-25]  # one of the two lives in globex
    BatchWriter(lock_number(number), Tables.copy).advance(projector, [project(event) for event in half])
    assert "Canary globex" in str(content(projector, number))

    erase_globex(written)
    log.append_raw(payloads.stream_of(payloads.added(ACMES[1])), "credential.dreamt", "{}")
    log.append(payloads.renamed(ACMES[1], "waits"))
    written.project()
    assert rebuild(database_url, resume=True, switch=True, report=nobody, personal=personal) == number
    assert content(projector, number) == content(projector, 1)
    assert dead_letters(projector, number) == dead_letters(projector, 1)
    assert generations.generation(projector, number).dead_letters > 3


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_rebuild_is_resumed_or_started_again(
    log: Log, projector: Connection, database_url: str, how: signal.Signals
) -> None:
    head = log.append_many([event for number in range(1, 701) for event in a_life(number)], account_of)
    number = generations.create(database_url)
    half = [project(event) for event in read_log(projector, 0, 2000)]
    BatchWriter(lock_number(number), Tables.copy).advance(projector, half)
    environment = {**os.environ, "REGCRED_DATABASE_URL": database_url}

    def runs(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, "rebuild", *arguments], env=environment, capture_output=True, text=True, check=False
        )

    with psycopg.connect(database_url) as holding:  # so that it is killed in the middle of a transaction
        holding.execute("SELECT FROM rm.generations WHERE generation = %s FOR UPDATE", (number,))
        process = subprocess.Popen(
            [*FROM_A_TERMINAL, *COMMAND, "rebuild", "--resume"], env=environment, stdin=subprocess.DEVNULL
        )
        try:
            waiting(lambda: waits_for_a_lock(log.connection), "the rebuild is in its transaction")
            with pytest.raises(AdministrationInProgress):
                switch(database_url, number, report=nobody)
            process.send_signal(how)
            process.wait(PATIENCE)
        finally:
            process.kill()
            process.wait()
    waiting(lambda: not waits_for_a_lock(log.connection), "the server has noticed")
    assert generations.generation(projector, number).position == 2000

    refused = runs()
    assert refused.returncode == 1
    assert "resume or drop it" in refused.stderr
    if how == signal.SIGINT:
        generations.drop(projector, number)
        resumed = runs("--switch", "--json")
    else:
        resumed = runs("--resume", "--switch", "--json")
    assert resumed.returncode == 0, resumed.stderr
    assert statuses(projector) == {1: "retired", number: "live"}
    assert generations.live_position(projector) == head
    switch(database_url, 1, report=nobody)
    assert content(projector, 1) == content(projector, number)


def test_a_failed_rebuild_reports_the_error_and_is_resumed(
    log: Log, projector: Connection, database_url: str
) -> None:
    head = log.append_many(a_life(1))
    log.connection.execute("REVOKE SELECT ON es.streams FROM regcred_projector")
    environment = {**os.environ, "REGCRED_DATABASE_URL": database_url}
    refused = subprocess.run(
        [*COMMAND, "rebuild"], env=environment, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert "permission denied for table streams" in refused.stderr
    assert "Traceback" not in refused.stderr
    log.connection.execute("GRANT SELECT ON es.streams TO regcred_projector")
    number = rebuild(database_url, resume=True, switch=False, report=nobody)
    assert generations.generation(projector, number).position == head


def statuses(connection: Connection) -> dict[int, str]:
    return {one.generation: one.status for one in generations.generations(connection)}


def waits_for_a_lock(connection: Connection) -> bool:
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        " AND datname = current_database() AND application_name LIKE '%projections')"
    ).fetchone()
    return bool(row and row[0])
