"""The metrics that are read from the database at a scrape, by every role, also during faults."""

from collections.abc import Iterator

import psycopg
import pytest

from eventlog.consumers.retries import Delivery, DeliveryOutcome, DeliveryResult, Retries
from eventlog.storage import DatabaseMetrics, read_log
from eventlog.storage.log import save_checkpoint
from projector.write import generations
from tests.support.log import append_raw, fresh_log, lead, relay_of, sequence
from tests.support.servers import free_port

ROLES = (
    "regcred_credentials",
    "regcred_verifier",
    "regcred_relay",
    "regcred_projector",
    "regcred_query",
)
Figures = dict[tuple[str, ...], float]


@pytest.fixture
def url() -> Iterator[str]:
    with fresh_log() as made:
        yield made


def read(url: str, role: str = "regcred_query", *, publishing: bool = True) -> Figures:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in DatabaseMetrics(url, role=role, publishing=publishing).collect()
        for sample in family.samples
    }


def append(url: str, *events: str) -> None:
    with psycopg.connect(url, autocommit=True) as writer:
        for event in events:
            append_raw(writer, event, 0, event)


@pytest.mark.parametrize("role", ROLES)
def test_every_role_reads_the_metrics(url: str, role: str) -> None:
    assert read(url, role) == {
        ("es_database_up",): 1,
        ("es_log_position",): 0,
        ("es_published_position",): 0,
        ("es_horizon_lag_seconds",): 0,
        ("es_oldest_write_xact_seconds",): 0,
        ("projection_position", "projector"): 0,
        ("projection_lag_events", "projector"): 0,
        ("projection_lag_seconds", "projector"): 0,
        ("projection_parked", "projector"): 0,
        ("projection_retrying", "projector"): 0,
    }


def test_the_published_position_is_missing_without_a_broker(url: str) -> None:
    assert ("es_published_position",) not in read(url, publishing=False)


def test_lag_rises_without_a_consumer_and_falls_to_zero(url: str) -> None:
    with relay_of(url) as relay:
        append(url, "a", "b", "c")
        seen = read(url)
        assert seen["es_log_position",] == 0
        assert seen["es_horizon_lag_seconds",] > 0
        sequence(relay, lead(relay))
        seen = read(url)
        assert (seen["es_log_position",], seen["es_horizon_lag_seconds",]) == (3, 0)
        assert seen["projection_lag_events", "projector"] == 3
        assert seen["projection_lag_seconds", "projector"] > 0
        assert save_checkpoint(relay, "housekeeping", after=0, position=2)
        [second] = read_log(relay, 1, 1)
        Retries("housekeeping", ()).record(
            relay, DeliveryResult(Delivery(second), DeliveryOutcome.NOT_RETRIABLE, "a test")
        )
        relay.execute("SELECT es.published(1, 2)")
        seen = read(url)
        assert (
            seen["projection_position", "housekeeping"],
            seen["projection_lag_events", "housekeeping"],
        ) == (2, 1)
        assert seen["projection_parked", "housekeeping"] == 1
        assert seen["projection_retrying", "housekeeping"] == 0
        assert seen["es_published_position",] == 2
        assert save_checkpoint(relay, "housekeeping", after=2, position=3)
        relay.execute(
            "INSERT INTO es.retries (consumer, position, stream_id, attempts, due_at, reason)"
            " SELECT 'housekeeping', position, stream_id, 1, clock_timestamp(), 'a test' FROM es.log WHERE position = 3"
        )
        assert read(url)["projection_retrying", "housekeeping"] == 1
        seen = read(url)
        assert seen["projection_lag_events", "housekeeping"] == 0
        assert seen["projection_lag_seconds", "housekeeping"] == 0


def test_a_transaction_that_delays_positions_is_measured(url: str) -> None:
    with relay_of(url) as relay, psycopg.connect(url) as stuck:
        append_raw(stuck, "stuck", 0, "stuck")
        append(url, "later")
        epoch = lead(relay)
        assert sequence(relay, epoch) == 0
        seen = read(url)
        assert seen["es_oldest_write_xact_seconds",] > 0
        assert seen["es_horizon_lag_seconds",] > 0
        stuck.rollback()
        assert sequence(relay, epoch) == 1
        seen = read(url)
        assert seen["es_oldest_write_xact_seconds",] == 0
        assert seen["es_horizon_lag_seconds",] == 0


def test_a_building_generation_has_its_own_position(url: str) -> None:
    assert generations.create(url) == 2
    with psycopg.connect(url, autocommit=True) as owner:
        assert read(url)["projection_position", "projector:building"] == 0
        owner.execute("SELECT rm.go_live(2)")
    seen = read(url)
    assert ("projection_position", "projector:building") not in seen
    assert ("projection_position", "projector") in seen


def test_an_unavailable_database_does_not_fail_a_scrape() -> None:
    away = f"postgresql://nobody@127.0.0.1:{free_port()}/none"
    assert read(away) == {("es_database_up",): 0}
