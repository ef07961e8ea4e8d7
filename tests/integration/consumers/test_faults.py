"""Whatever happens to messages, connections and servers: each effect once, and the lag goes back to zero by itself."""

import time
from collections.abc import Iterator

import pika
import pytest
from structlog.testing import capture_logs

from eventlog.broker import publisher
from eventlog.events import encode
from tests.integration.consumers.backbone import QUEUES, Backbone, running
from tests.integration.projector import lives
from tests.support.rabbitmq import RabbitMQ
from tests.support.timing import waiting

ALARM_SECONDS = 3.0  # more than the seconds of silence after which a broker is taken for dead


@pytest.fixture
def backbone(rabbitmq: RabbitMQ) -> Iterator[Backbone]:
    with running(rabbitmq) as made:
        made.add(40)
        waiting(lambda: len(made.handled) >= 5)
        yield made


def check(backbone: Backbone) -> None:
    waiting(backbone.lag_is_zero)
    assert backbone.outcomes() == {1: backbone.count}
    waiting(backbone.queues_are_empty)


def test_messages_that_come_twice_and_in_another_order(backbone: Backbone) -> None:
    for _ in range(2):
        backbone.publish(backbone.events()[::-1])
        backbone.add(30)
    check(backbone)


def test_messages_that_somebody_takes_away(backbone: Backbone) -> None:
    for _ in range(5):
        backbone.add(20)
        with backbone.broker.connect() as connection:
            channel = connection.channel()
            for queue in QUEUES:
                for _ in range(7):
                    channel.basic_get(queue, auto_ack=True)
                channel.queue_purge(queue)
    check(backbone)


def test_poison_in_the_middle_of_log_and_queue(backbone: Backbone) -> None:
    name, _, data = encode(lives.added(9_999))
    backbone.log.append_raw(lives.stream_of(lives.added(9_999)), name, data.decode(), 99)
    with backbone.broker.connect() as connection:
        channel = connection.channel()
        channel.confirm_delivery()  # without, a quorum queue may lose what a channel sends just before it closes
        for headers in ({}, {"cloudEvents:sequence": "none"}, {"cloudEvents:sequence": "999999"}):
            properties = pika.BasicProperties(headers=headers, type="strange")
            channel.basic_publish("regcred.events", "credential.added", b"\x00", properties, mandatory=True)
    backbone.add(40)
    waiting(backbone.lag_is_zero)
    assert backbone.outcomes() == {1: backbone.count}
    parked = backbone.owner.execute(
        "SELECT consumer, reason FROM es.dead_letters ORDER BY consumer"
    ).fetchall()
    unreadable = "no event credential.added version 99 is registered"
    assert parked == [("projector:1", unreadable), ("verifier", unreadable)]

    def dead() -> list[int]:
        depths = backbone.broker.depths()
        return [depths[f"{queue}.dead"] for queue in QUEUES]

    waiting(lambda: dead() == [2, 2])


def test_connections_to_the_database_are_cut_again_and_again(backbone: Backbone) -> None:
    """Also between an effect and the checkpoint: with 4 threads there always is such an event."""
    cut = 0
    for _ in range(6):
        backbone.add(20)
        done = len(backbone.handled)
        waiting(lambda done=done: len(backbone.handled) > done)  # type: ignore[misc]
        cut += backbone.cut()
    assert cut > 10
    check(backbone)


def test_an_alarm_at_the_broker_is_waited_for_on_the_same_connection(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting(backbone.lag_is_zero)
    with capture_logs() as lines:
        backbone.broker.ctl("set_vm_memory_high_watermark", "absolute", "1MB")
        try:
            backbone.add(10)
            waiting(backbone.lag_is_zero)  # the log is enough
            waiting(lambda: "broker_blocks" in [line["event"] for line in lines])
            with monkeypatch.context() as sooner:
                sooner.setattr(publisher, "SILENCE_SECONDS", ALARM_SECONDS / 3)
                time.sleep(ALARM_SECONDS)
        finally:
            backbone.broker.ctl("set_vm_memory_high_watermark", "absolute", "1GB")
        check(backbone)
    events = [line["event"] for line in lines]
    assert "broker_blocks" in events
    assert "publishing_interrupted" not in events
    assert "publishing" not in events  # no connection was made anew


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_the_broker_goes_and_comes_back_under_load(backbone: Backbone, how: str) -> None:
    backbone.add(40)
    backbone.broker.kill() if how == "killed" else backbone.broker.stop()
    try:
        backbone.add(40)
        waiting(backbone.lag_is_zero)  # the log is enough
    finally:
        backbone.broker.start()
    backbone.add(20)
    check(backbone)
