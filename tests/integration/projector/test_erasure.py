"""Personal data of an account is erased, and nothing else changes: chain, counts, read models, messages."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

import pytest
from msgspec import Meta
from psycopg import sql
from psycopg.types.json import Jsonb

from chassis.database import open_pool
from credentials.account_erasure import NothingToErase, StillHasCredentials
from eventlog.broker import outgoing_message
from eventlog.events import PERSONAL, EventRegistry, decode_event
from eventlog.events.errors import MalformedEvent
from eventlog.events.personal import ERASED
from eventlog.storage import keys_of, read_log
from operations.accounts.erasure import wait_until_erased
from projector.rebuild.rebuild import rebuild
from projector.write import generations
from projector.write.projections.audit import personal_paths
from tests.integration.projector import payloads
from tests.integration.projector.accounts import Accounts, a_life
from tests.integration.projector.comparing import differences
from tests.integration.projector.payloads import Connection, Log, content
from tests.support.log import fault_of, log_is_complete
from tests.support.personal_keys import personal_keys


@dataclass(frozen=True)
class Owner:
    phone: Annotated[str, Meta(extra=PERSONAL)]
    team: str


@dataclass(frozen=True)
class Renamed:
    nickname: Annotated[str, Meta(extra=PERSONAL)]
    previous_nickname: Annotated[str, Meta(extra=PERSONAL)]
    owner: Owner
    other: str


def everything(connection: Connection) -> str:
    """All rows of all tables of the database, as text."""
    tables = connection.execute(
        "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    ).fetchall()
    return "\n".join(
        row
        for schema, table in tables
        for (row,) in connection.execute(
            sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(schema, table))
        ).fetchall()
    )


@pytest.fixture
def accounts(log: Log, projector: Connection, database_url: str) -> Iterator[Accounts]:
    personal = personal_keys()
    with open_pool(database_url, role="regcred_credentials", size=1) as pool:
        yield Accounts(log, projector, personal, keys_of(pool, personal))


def test_an_account_is_erased_everywhere_and_nothing_else_changes(
    accounts: Accounts, log: Log, projector: Connection, database_url: str
) -> None:
    for number in range(1, 6):
        accounts.happens("acme", *a_life("acme", number))
        accounts.happens("stays", *a_life("stays", 100 + number))
    accounts.project()
    rebuild(database_url, resume=False, switch=True, report=lambda _: None, personal=accounts.personal)
    accounts.happens("acme", *a_life("acme", 6))  # in the live generation, not in the retired one
    accounts.project()
    before = everything(log.connection)
    assert before.count("Canary acme") > 40
    rows = log.connection.execute("SELECT count(*) FROM rm.audit_events").fetchone()
    events = log.connection.execute("SELECT event_id, data, meta FROM es.events ORDER BY seq").fetchall()

    done = accounts.erase("acme")
    accounts.happens("acme", payloads.refused(7, 77))  # by a process that has the key in its cache
    accounts.project()
    assert wait_until_erased(log.connection, done, 0)

    after = everything(log.connection)
    left = {line for line in after.splitlines() if "canary" in line.lower()}
    assert left
    assert not [line for line in left if "acme" in line.replace("ghcr.io/acme", "").replace("acme/", "")]
    assert after.count("Canary stays") == before.count("Canary stays")
    assert fault_of(database_url) is None
    assert log_is_complete(log.connection)
    unchanged = log.connection.execute("SELECT event_id, data, meta FROM es.events ORDER BY seq").fetchall()
    assert unchanged[: len(events)] == events
    assert log.connection.execute("SELECT count(*) FROM rm.audit_events").fetchone() == (rows[0] + 2,)  # type: ignore[index]
    number = rebuild(
        database_url, resume=False, switch=False, report=lambda _: None, personal=accounts.personal
    )
    assert content(projector, 2) == content(projector, number)
    trail = log.connection.execute(
        "SELECT actor_name, reason FROM rm.audit_events WHERE action = 'account.erased'"
    ).fetchall()
    assert trail == [("operator", "it has left")]
    assert log.connection.execute("SELECT count(*) FROM es.dead_letters").fetchone() == (0,)


def test_erased_events_read_erased_and_later_events_have_another_key(accounts: Accounts, log: Log) -> None:
    accounts.happens("acme", *a_life("acme", 1))
    accounts.erase("acme")
    accounts.personal.renew("acme")
    accounts.happens("acme", payloads.refused(2, 2))
    log.sequence()
    *erased, erasure, later = map(decode_event, read_log(log.connection, 0, 100, personal=accounts.personal))
    assert {event.metadata.actor.name for event in erased} == {ERASED}
    assert erased[0].payload.details.name == ERASED  # type: ignore[attr-defined]
    assert (erasure.type, erasure.metadata.actor.name) == ("account.erased", "operator")
    assert later.metadata.actor.name == "Canary acme"
    for stored in read_log(log.connection, 0, 100, personal=accounts.personal):
        assert b"canary" not in outgoing_message(stored, UUID(int=1)).body
    accounts.erase("acme")
    with pytest.raises(NothingToErase):
        accounts.erase("acme")
    keys = log.connection.execute("SELECT wrapped FROM personal.keys").fetchall()
    assert keys == [(None,), (None,)]


def test_a_log_restored_without_its_keys_reads_as_erased_and_continues(
    accounts: Accounts, log: Log, projector: Connection
) -> None:
    accounts.happens("acme", payloads.refused(1, 1))
    log.connection.execute("DELETE FROM personal.keys")
    accounts.personal.renew("acme")
    accounts.happens("acme", payloads.refused(2, 2))
    accounts.project()
    names = projector.execute("SELECT actor_name FROM rm_g1.audit_events ORDER BY position").fetchall()
    assert names == [(ERASED,), ("Canary acme",)]
    assert generations.generation(projector, 1).dead_letters == 0


def test_encrypted_data_moved_to_another_event_is_a_dead_letter_and_blocks_no_event(
    accounts: Accounts, log: Log, projector: Connection
) -> None:
    accounts.happens("acme", payloads.refused(1, 1), payloads.refused(2, 2), payloads.refused(3, 3))
    with tampering(log.connection):
        log.connection.execute(
            "UPDATE es.events e SET meta = jsonb_set(e.meta, '{personal}', o.meta->'personal') FROM es.events o"
            " WHERE e.stream_id = %s AND o.stream_id = %s",
            (payloads.stream_of(payloads.refused(2, 2)).id, payloads.stream_of(payloads.refused(1, 1)).id),
        )
    accounts.project()
    good, moved, _ = read_log(projector, 0, 3, personal=accounts.personal)
    assert decode_event(good).metadata.actor.name == "Canary acme"
    with pytest.raises(MalformedEvent, match="cannot be decrypted"):
        decode_event(moved)
    names = projector.execute("SELECT actor_name FROM rm_g1.audit_events ORDER BY position").fetchall()
    assert names == [("Canary acme",), (ERASED,), ("Canary acme",)]
    assert generations.generation(projector, 1).dead_letters == 1
    assert outgoing_message(moved, UUID(int=1)).body


def test_an_account_with_credentials_is_not_erased(accounts: Accounts, log: Log) -> None:
    """The log decides: the row of the deciding state is missing."""
    accounts.happens("acme", payloads.added(1))
    with pytest.raises(StillHasCredentials, match="1 credential"):
        accounts.erase("acme")
    assert log.connection.execute("SELECT count(*) FROM personal.keys WHERE wrapped IS NULL").fetchone() == (
        0,
    )


@contextmanager
def tampering(connection: Connection) -> Iterator[None]:
    connection.execute("ALTER TABLE es.events DISABLE TRIGGER append_only")
    yield
    connection.execute("ALTER TABLE es.events ENABLE ALWAYS TRIGGER append_only")


def test_the_mark_of_a_personal_field_in_its_class_is_enough_to_erase_it(
    accounts: Accounts, log: Log, projector: Connection
) -> None:
    registry = EventRegistry()
    registry.event("credential.restrictions_changed", version=1)(Renamed)
    accounts.happens("acme", payloads.added(1), payloads.restricted(1, "project-1"), payloads.removed(1))
    accounts.project()
    shown = Jsonb({"nickname": "Canary", "owner": {"phone": "Canary", "team": "stays"}, "other": "stays"})
    log.connection.execute(
        "UPDATE rm_g1.audit_events SET reason = 'stays', before = %s, after = %s WHERE position = 2",
        (shown, shown),
    )
    accounts.erase("acme")
    projector.execute("SELECT rm.erase_account(1, 'acme', %s)", (Jsonb(personal_paths(registry)),))
    row = projector.execute(
        "SELECT reason, before, after FROM rm_g1.audit_events WHERE position = 2"
    ).fetchone()
    erased = {"nickname": ERASED, "owner": {"phone": ERASED, "team": "stays"}, "other": "stays"}
    assert row == ("stays", erased, erased)


def test_only_rows_before_the_erasure_of_the_account_are_changed(
    accounts: Accounts, log: Log, projector: Connection
) -> None:
    accounts.happens("acme", payloads.refused(1, 1))
    accounts.happens("stays", payloads.refused(2, 2))
    accounts.project()
    accounts.erase("acme")
    accounts.personal.renew("acme")
    accounts.happens("acme", payloads.refused(3, 3))
    accounts.project()
    for account in ("acme", "stays"):
        projector.execute("SELECT rm.erase_account(1, %s, %s)", (account, Jsonb(personal_paths())))
    names = projector.execute("SELECT actor_name FROM rm_g1.audit_events ORDER BY position").fetchall()
    assert names == [(ERASED,), ("Canary stays",), ("operator",), ("Canary acme",)]


def test_texts_of_an_erased_account_that_no_erasure_replaces_are_found(
    accounts: Accounts, database_url: str, projector: Connection
) -> None:
    """The projector chooses the paths that `rm.erase_account` replaces."""
    accounts.happens("acme", *a_life("acme", 1))
    accounts.project()
    accounts.erase("acme")
    accounts.project()
    assert differences(database_url, accounts.personal) == []

    paths = {
        "credential.added": [["registry", "host"]],
        "secret.issued": [["format"]],
        "credential.removed": [["reason"]],
    }
    projector.execute("SELECT rm.erase_account(1, 'acme', %s)", (Jsonb(paths),))
    found = {(each.key, each.problem, each.columns) for each in differences(database_url, accounts.personal)}
    assert found
    assert {columns for _, _, columns in found} == {("after",)}
    rebuild(database_url, resume=False, switch=True, report=lambda _: None, personal=accounts.personal)
    assert differences(database_url, accounts.personal) == []
