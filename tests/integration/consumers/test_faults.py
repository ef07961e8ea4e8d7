"""After faults of messages, connections and servers, each effect happens once, and the lag returns to zero."""

import time
from collections.abc import Iterator

import pika
import pytest
from structlog.testing import capture_logs

from eventlog.broker import publisher
from eventlog.events import encode
from tests.integration.consumers.pipeline import QUEUES, Pipeline, running
from tests.integration.projector import payloads
from tests.support.rabbitmq import RabbitMQ
from tests.support.timing import waiting

ALARM_SECONDS = 3.0  # longer than the silence after which a connection counts as dead


@pytest.fixture
def pipeline(rabbitmq: RabbitMQ) -> Iterator[Pipeline]:
    with running(rabbitmq) as made:
        made.add(40)
        waiting(lambda: len(made.handled) >= 5)
        yield made


def check(pipeline: Pipeline) -> None:
    waiting(pipeline.lag_is_zero)
    assert pipeline.outcomes() == {1: pipeline.count}
    waiting(pipeline.queues_are_empty)


def test_repeated_and_reordered_messages_have_no_second_effect(pipeline: Pipeline) -> None:
    for _ in range(2):
        pipeline.publish(pipeline.events()[::-1])
        pipeline.add(30)
    check(pipeline)


def test_lost_messages_lose_no_event(pipeline: Pipeline) -> None:
    for _ in range(5):
        pipeline.add(20)
        with pipeline.broker.connect() as connection:
            channel = connection.channel()
            for queue in QUEUES:
                for _ in range(7):
                    channel.basic_get(queue, auto_ack=True)
                channel.queue_purge(queue)
    check(pipeline)


def test_unreadable_events_and_messages_are_dead_lettered(pipeline: Pipeline) -> None:
    name, _, data = encode(payloads.added(9_999))
    pipeline.log.append_raw(payloads.stream_of(payloads.added(9_999)), name, data.decode(), 99)
    with pipeline.broker.connect() as connection:
        channel = connection.channel()
        channel.confirm_delivery()  # without, a quorum queue may lose what a channel sends just before it closes
        for headers in ({}, {"cloudEvents:sequence": "none"}, {"cloudEvents:sequence": "999999"}):
            properties = pika.BasicProperties(headers=headers, type="strange")
            channel.basic_publish("regcred.events", "credential.added", b"\x00", properties, mandatory=True)
    pipeline.add(40)
    waiting(pipeline.lag_is_zero)
    assert pipeline.outcomes() == {1: pipeline.count}
    parked = pipeline.owner.execute(
        "SELECT consumer, reason FROM es.dead_letters ORDER BY consumer"
    ).fetchall()
    unreadable = "no event credential.added version 99 is registered"
    assert parked == [("projector:1", unreadable), ("verifier", unreadable)]

    def dead() -> list[int]:
        depths = pipeline.broker.depths()
        return [depths[f"{queue}.dead"] for queue in QUEUES]

    waiting(lambda: dead() == [2, 2])


def test_cut_database_connections_lose_no_event(pipeline: Pipeline) -> None:
    """The cut is also between an effect and the checkpoint: with four threads there always is such an event."""
    cut = 0
    for _ in range(6):
        pipeline.add(20)
        done = len(pipeline.handled)
        waiting(lambda done=done: len(pipeline.handled) > done)  # type: ignore[misc]
        cut += pipeline.cut()
    assert cut > 10
    check(pipeline)


def test_an_alarm_of_the_broker_keeps_the_connection(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting(pipeline.lag_is_zero)
    with capture_logs() as lines:
        pipeline.broker.ctl("set_vm_memory_high_watermark", "absolute", "1MB")
        try:
            pipeline.add(10)
            waiting(pipeline.lag_is_zero)  # the log is enough
            waiting(lambda: "broker_blocks" in [line["event"] for line in lines])
            with monkeypatch.context() as sooner:
                sooner.setattr(publisher, "SILENCE_SECONDS", ALARM_SECONDS / 3)
                time.sleep(ALARM_SECONDS)
        finally:
            pipeline.broker.ctl("set_vm_memory_high_watermark", "absolute", "1GB")
        check(pipeline)
    events = [line["event"] for line in lines]
    assert "broker_blocks" in events
    assert "publishing_interrupted" not in events
    assert "publishing" not in events  # no connection was opened again


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_a_broker_that_stops_under_load_loses_no_event(pipeline: Pipeline, how: str) -> None:
    pipeline.add(40)
    pipeline.broker.kill() if how == "killed" else pipeline.broker.stop()
    try:
        pipeline.add(40)
        waiting(pipeline.lag_is_zero)  # the log is enough
    finally:
        pipeline.broker.start()
    pipeline.add(20)
    check(pipeline)
