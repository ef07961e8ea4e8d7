"""An event that cannot be applied is dead-lettered with its stream; other streams continue, and a redrive applies it."""

from dataclasses import replace
from secrets import token_hex
from typing import Any
from uuid import UUID

import psycopg
import pytest

from chassis.database import open_pool
from contracts.streams import credential_stream
from eventlog.events import encode, encode_metadata
from eventlog.storage import keys_of, read_log
from projector.rebuild.rebuild import rebuild
from projector.write import generations
from projector.write.consumer import ReadModelConsumer
from projector.write.dead_letters import discard, redrive
from projector.write.generations import has_event
from projector.write.indexes import create_indexes
from tests.integration.projector import payloads
from tests.integration.projector.accounts import Accounts
from tests.integration.projector.payloads import Connection, Log, content, credential, stream_of
from tests.support.log import append_one
from tests.support.personal_keys import personal_keys

POISON, HEALTHY = 1, 2


def follow(projector: Connection, models: ReadModelConsumer | None = None) -> int:
    """What the consumer's loop does, until the end of the log."""
    models = models or ReadModelConsumer()
    position = models.redrive_and_get_checkpoint(projector)
    while events := read_log(projector, position, 3):
        position = models.handle(projector, events)
    return position


def dead_letters(connection: Connection) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT position, stream_id, attempts, reason FROM es.dead_letters ORDER BY position"
    ).fetchall()


def names(connection: Connection) -> dict[UUID, str]:
    return dict(connection.execute("SELECT credential_id, name FROM rm_g1.credentials").fetchall())


def append_of_the_future(log: Log, payload: Any) -> None:
    """An event in a version that this program does not know."""
    name, _, data = encode(payload)
    log.append_raw(stream_of(payload), name, data.decode(), 99)


def test_an_unknown_event_is_dead_lettered_with_its_stream_only(log: Log, projector: Connection) -> None:
    log.append(payloads.added(POISON), payloads.added(HEALTHY))
    append_of_the_future(log, payloads.renamed(POISON, "unreadable"))
    log.append(
        payloads.restricted(POISON, "shop"), payloads.succeeded(POISON, 1), payloads.renamed(HEALTHY, "crew")
    )
    assert follow(projector) == 6

    stream = credential(POISON)
    assert [(position, of) for position, of, _, _ in dead_letters(projector)] == [
        (3, stream),
        (4, stream),
        (5, stream),
    ]
    assert dead_letters(projector)[0][3] == "no event credential.details_changed version 99 is registered"
    assert names(projector) == {credential(POISON): "team", credential(HEALTHY): "crew"}
    assert projector.execute("SELECT count(*) FROM rm_g1.verifications").fetchone() == (0,)
    [generation] = generations.generations(projector)
    assert (generation.position, generation.dead_letters, generation.degraded) == (6, 3, True)
    assert not has_event(projector, None, stream, 2)
    assert has_event(projector, None, stream, 1)
    assert has_event(projector, None, credential(HEALTHY), 2)


def test_dead_letters_have_rows_in_the_audit_log(log: Log, projector: Connection) -> None:
    log.append(payloads.added(POISON))
    append_of_the_future(log, payloads.renamed(POISON, "unreadable"))
    log.append_raw(stream_of(payloads.succeeded(POISON, 1)), "verification.dreamt", "{}")
    log.append(payloads.restricted(POISON, "shop"))
    follow(projector)
    rows = projector.execute(
        "SELECT position, action, credential_id, credential_name, actor_id FROM rm_g1.audit_events ORDER BY position"
    ).fetchall()
    assert rows == [
        (1, "credential.added", credential(POISON), "team", "ada"),
        (2, "credential.details_changed", credential(POISON), "team", "ada"),
        (3, "verification.dreamt", None, None, "ada"),
        (
            4,
            "credential.restrictions_changed",
            credential(POISON),
            None,
            "ada",
        ),  # its name at that time is not known
    ]


def test_unreadable_metadata_is_dead_lettered_without_a_row(log: Log, projector: Connection) -> None:
    log.append(payloads.added(POISON))
    append_one(log.connection, credential_stream(credential(POISON)), 1, UUID(int=77))
    log.append(payloads.added(HEALTHY))
    assert follow(projector) == 3
    assert [position for position, *_ in dead_letters(projector)] == [2]
    assert projector.execute("SELECT count(*) FROM rm_g1.audit_events").fetchone() == (2,)


@pytest.mark.parametrize("batch", [1, 500])
def test_an_event_that_the_database_refuses_is_dead_lettered(
    log: Log, projector: Connection, batch: int
) -> None:
    log.append(*(payloads.added(number) for number in range(1, 9)), payloads.succeeded(POISON, 1))
    log.append(
        payloads.succeeded(POISON, 1), payloads.rotated(HEALTHY, 2), payloads.succeeded(HEALTHY, 2, version=2)
    )
    models = ReadModelConsumer()
    position = models.redrive_and_get_checkpoint(projector)
    while events := read_log(projector, position, batch):
        position = models.handle(projector, events)
    [(position, stream_id, _, reason)] = dead_letters(projector)
    assert (position, stream_id) == (10, stream_of(payloads.succeeded(POISON, 1)).id)
    assert reason == "the database refused it: UniqueViolation"
    assert projector.execute("SELECT count(*) FROM rm_g1.verifications").fetchone() == (2,)
    assert projector.execute("SELECT count(*) FROM rm_g1.audit_events").fetchone() == (12,)


@pytest.mark.parametrize("batch", [1, 500])
def test_an_audit_row_that_the_database_refuses_is_skipped(
    log: Log, projector: Connection, database_url: str, batch: int
) -> None:
    for _ in create_indexes(database_url, projector, 1):
        pass
    log.append(payloads.added(POISON))
    too_long_for_an_index = replace(payloads.metadata(2), request_id=token_hex(4096))
    name, schema_version, data = encode(payloads.renamed(POISON, "refused"))
    append_one(
        log.connection,
        credential_stream(credential(POISON)),
        1,
        UUID(int=77),
        name=name,
        schema_version=schema_version,
        data=data.decode(),
        meta=encode_metadata(too_long_for_an_index).decode(),
    )
    log.append(payloads.added(HEALTHY))
    models = ReadModelConsumer()
    position = models.redrive_and_get_checkpoint(projector)
    while events := read_log(projector, position, batch):
        position = models.handle(projector, events)
    assert position == 3
    [(at, _stream, _attempts, reason)] = dead_letters(projector)
    assert (at, reason) == (2, "the database refused it: ProgramLimitExceeded")
    assert "refused" not in names(projector).values()
    assert projector.execute("SELECT position FROM rm_g1.audit_events ORDER BY 1").fetchall() == [(1,), (3,)]


def test_a_redrive_applies_readable_events_in_order(
    log: Log, projector: Connection, database_url: str
) -> None:
    log.append(payloads.added(POISON), payloads.added(HEALTHY))
    append_of_the_future(log, payloads.renamed(POISON, "first"))
    log.append(
        payloads.requested(POISON), payloads.rotated(POISON, 2), payloads.succeeded(POISON, 1, version=2)
    )
    append_of_the_future(log, payloads.failed(HEALTHY, 2))
    log.append(payloads.renamed(HEALTHY, "crew"), payloads.removed(HEALTHY), payloads.succeeded(HEALTHY, 3))
    follow(projector)
    verification = stream_of(payloads.failed(HEALTHY, 2)).id

    failing = redrive(projector, credential(POISON))
    assert (failing.applied, failing.left) == (0, 4)
    assert failing.reason == "no event credential.details_changed version 99 is registered"
    assert dead_letters(projector)[0][2] == 2  # attempts

    log.repair(3, schema_version=1)
    log.repair(7, schema_version=1)
    assert redrive(projector, credential(POISON)).applied == 4
    assert names(projector) == {credential(POISON): "first"}
    follow(projector)  # a start redrives the others
    assert dead_letters(projector) == []
    assert redrive(projector, verification).applied == 0

    number = rebuild(database_url, resume=False, switch=False, report=lambda _progress: None)
    trail = {position: row for position, row in _trail(projector, 1).items() if position != 7}
    assert trail == {position: row for position, row in _trail(projector, number).items() if position != 7}
    for table in ("credentials", "verifications"):
        assert content(projector, 1)[table] == content(projector, number)[table]


def test_dead_letters_of_two_streams_are_redriven_in_the_order_of_the_log(
    log: Log, projector: Connection, database_url: str
) -> None:
    """The outcome at 4 waits for its own stream, and the rotation that it refers to is a dead letter too."""
    log.append(payloads.added(POISON))
    append_of_the_future(log, payloads.failed(POISON, 1))
    append_of_the_future(log, payloads.rotated(POISON, 2))
    log.append(payloads.succeeded(POISON, 2, version=2))
    follow(projector)
    verification = stream_of(payloads.failed(POISON, 1)).id
    log.repair(2, schema_version=1)
    assert redrive(projector, verification).applied == 1
    assert [(position, of) for position, of, _, _ in dead_letters(projector)] == [
        (3, credential(POISON)),
        (4, credential(POISON)),
    ]
    log.repair(3, schema_version=1)
    assert redrive(projector, credential(POISON)).applied == 2
    number = rebuild(database_url, resume=False, switch=False, report=lambda _progress: None)
    assert content(projector, 1)["credentials"] == content(projector, number)["credentials"]


def test_events_after_a_discarded_one_are_applied(log: Log, projector: Connection) -> None:
    log.append(payloads.added(POISON))
    append_of_the_future(log, payloads.renamed(POISON, "unreadable"))
    log.append(payloads.renamed(POISON, "later"))
    follow(projector)
    assert discard(projector, 2)
    assert not discard(projector, 2)
    assert redrive(projector, credential(POISON)).applied == 1
    assert names(projector) == {credential(POISON): "later"}
    assert [generation.degraded for generation in generations.generations(projector)] == [False]
    log.append(payloads.renamed(POISON, "at once"))
    follow(projector)
    assert names(projector) == {credential(POISON): "at once"}


def test_a_rebuild_has_the_dead_letters_of_the_live_generation(
    log: Log, projector: Connection, database_url: str
) -> None:
    log.append(payloads.added(POISON), payloads.added(HEALTHY))
    append_of_the_future(log, payloads.renamed(POISON, "unreadable"))
    log.append(
        payloads.rotated(POISON, 2),
        payloads.succeeded(POISON, 1, version=2),
        payloads.renamed(HEALTHY, "crew"),
    )
    follow(projector)
    number = rebuild(database_url, resume=False, switch=False, report=lambda _progress: None)
    assert content(projector, 1) == content(projector, number)
    assert [one.dead_letters for one in generations.generations(projector)] == [3, 3]


def test_a_missing_right_makes_no_dead_letter(log: Log, projector: Connection, database_url: str) -> None:
    log.append(payloads.added(POISON))
    log.connection.execute("REVOKE INSERT ON rm_g1.audit_events FROM regcred_projector")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        follow(projector)
    assert dead_letters(projector) == []
    log.connection.execute("GRANT INSERT ON rm_g1.audit_events TO regcred_projector")
    assert follow(projector) == 1


def _trail(connection: Connection, generation: int) -> dict[int, str]:
    rows = connection.execute(
        f"SELECT position, t::text FROM rm_g{generation}.audit_events t"  # noqa: S608 a number
    ).fetchall()
    return dict(rows)


def test_an_event_under_a_key_that_this_process_lacks_is_applied_by_a_process_that_has_it(
    log: Log, projector: Connection, database_url: str
) -> None:
    """The key file is replaced and the processes are restarted one by one: each start redrives dead letters."""
    newer, older = personal_keys(name="k2"), personal_keys(name="k1")
    with open_pool(database_url, role="regcred_credentials", size=1) as pool:
        Accounts(log, projector, newer, keys_of(pool, newer)).happens("acme", payloads.added(HEALTHY))
        with_older = Accounts(log, projector, older, keys_of(pool, older))
        with_older.project()
        assert [position for position, *_ in dead_letters(projector)] == [1]
        assert "not in the key file of this process" in dead_letters(projector)[0][3]
        replace(with_older, personal=newer).project()
    assert dead_letters(projector) == []
    assert names(projector) == {credential(HEALTHY): "team"}
    rows = projector.execute("SELECT actor_name FROM rm_g1.audit_events").fetchall()
    assert rows == [("Canary acme",)]
