"""A leader keeps its lease while it works; a former leader changes nothing, whatever it does when it wakes up."""

from collections.abc import Iterator
from contextvars import copy_context
from threading import Event
from typing import Any

import psycopg
import pytest

from chassis.database import open_pool
from chassis.runtime.clock import now
from contracts.streams import credential_stream
from eventlog.consumers import LeaderConnection, has_leader, leader, leadership
from eventlog.storage import StaleLeader, store_errors
from eventlog.storage.log import load_checkpoint, save_checkpoint
from tests.integration.consumers.consuming import Connection, write
from tests.support.eventstore_suite import an_id
from tests.support.issuance_suite import outcome
from tests.support.log import append_one, relay_of, scalar, sequence, stream
from tests.support.timing import waiting
from verifier.postgres_store import PostgresVerificationStore
from verifier.schedule.hold_table import HoldTable
from verifier.schedule.rows import HeldLogin, ScheduleEntry
from verifier.schedule.table import ScheduleTable

ROLE, NAME = "regcred_verifier", "verifier"
SHORT = 0.3
LONG = 50.0  # no test waits that long


@pytest.fixture
def owner(url: str) -> Iterator[Connection]:
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leader, "RETRY_SECONDS", 0.05)


def leading(url: str, name: str = NAME) -> Any:
    return leadership(url, role=ROLE, name=name, stop=Event())


def expiry(owner: Connection) -> Any:
    return scalar(owner, "SELECT expires_at FROM es.leases WHERE name = %s", NAME)


def test_a_working_leader_renews_its_lease(
    url: str, owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leader, "LEASE_SECONDS", 4 * SHORT)
    with leading(url) as first:
        begun = expiry(owner)
        waiting(lambda: first.execute("SELECT") and expiry(owner) > begun)
        renewed = expiry(owner)
        waiting(lambda: renewed_in_transaction(first) and expiry(owner) > renewed)
        assert first.lease.epoch == 1


def renewed_in_transaction(connection: LeaderConnection) -> bool:
    with connection.transaction():
        return True


def test_a_leader_that_stops_is_replaced_at_once(
    url: str, owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leader, "LEASE_SECONDS", LONG)
    with leading(url):
        assert has_leader(owner, NAME)
    waiting(lambda: not has_leader(owner, NAME), seconds=LONG / 2)
    with leading(url) as second:
        assert second.lease.epoch == 2


def test_different_names_have_different_leaders(url: str) -> None:
    with leading(url) as one, leading(url, "verifier-schedule") as other:
        assert (one.lease.epoch, other.lease.epoch) == (1, 1)


def test_a_lease_from_before_the_clock_was_set_back_does_not_last(
    url: str, owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leader, "LEASE_SECONDS", LONG)
    with leading(url):
        owner.execute("UPDATE es.leases SET expires_at = expires_at + interval '1 hour'")
        with leading(url) as second:
            assert second.lease.epoch == 2


def test_a_leader_that_stops_within_a_transaction_delays_the_next_one_for_seconds_only(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leader, "LEASE_SECONDS", SHORT)
    with pytest.raises(StaleLeader), leading(url) as first, first.transaction(), leading(url) as second:
        assert second.lease.epoch == 2


def test_a_former_leader_changes_nothing(
    url: str, owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leader, "LEASE_SECONDS", SHORT)
    with open_pool(url, role=ROLE, size=2) as pool, leading(url) as first:
        store, table = PostgresVerificationStore(pool), ScheduleTable(pool)
        write(url, 3)  # checkpoints do not move beyond the log
        append_one(owner, credential_stream(an_id("a")), 0, an_id("added"))
        assert save_in_transaction(first, position=1)
        former = copy_context()
        monkeypatch.setattr(leader, "LEASE_SECONDS", LONG)
        with leading(url) as second:
            with pytest.raises(StaleLeader):
                former.run(store.append, stream("a"), 0, [outcome(an_id("a"), "late", None)])
            with pytest.raises(StaleLeader):
                former.run(table.postpone, an_id("event"), an_id("c"), due_at=now(), stage=0)
            with pytest.raises(StaleLeader):
                former.run(
                    HoldTable(pool).hold,
                    HeldLogin.of("registry", "user", "acme"),
                    outcome="rate_limited",
                    retry_after=60,
                    now=now(),
                )
            store.append(stream("a"), 0, [outcome(an_id("a"), "first of the next leader", None)])
            table.upsert(entry(), due_at=now(), now=now())
            assert former.run(table.claim, now(), 10) == []
            assert len(table.claim(now(), 10)) == 1
            assert save_in_transaction(second, position=2, after=1)
        with pytest.raises(psycopg.Error) as refused:
            save_in_transaction(first, position=3, after=2)
        assert refused.value.sqlstate == "ES410"
        assert load_checkpoint(owner, NAME) == 2
        assert scalar(owner, "SELECT count(*) FROM es.events WHERE type = 'verification.succeeded'") == 1


def save_in_transaction(connection: LeaderConnection, *, position: int, after: int = 0) -> bool:
    with connection.transaction():
        return save_checkpoint(connection, NAME, after=after, position=position)


def entry() -> ScheduleEntry:
    return ScheduleEntry(
        credential_id=stream("a").id,
        stream_version=1,
        account_id="acme",
        provider="custom",
        registry_host="registry.example.com",
        username="user",
        secret_version=1,
        expires_at=None,
        additional_hosts=[],
    )


def test_a_relay_of_an_earlier_epoch_publishes_and_places_nothing(url: str) -> None:
    with relay_of(url) as relay:
        old, new = (int(scalar(relay, "SELECT es.lead('relay', '0')")) for _ in range(2))
        assert scalar(relay, "SELECT es.published(%s, 0)", old) is False
        assert scalar(relay, "SELECT es.published(%s, 0)", new) is True
        with pytest.raises(StaleLeader), store_errors():
            sequence(relay, old)
