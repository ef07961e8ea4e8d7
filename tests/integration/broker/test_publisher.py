"""The relay's publisher on a real RabbitMQ: confirmed messages are in the queue, and none is skipped."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count

import pytest
from structlog.testing import capture_logs

from eventlog.broker import BrokerUnavailable, OutgoingMessage, Publisher
from eventlog.broker.cloudevents import position_of
from eventlog.broker.feed import PositionFeed
from tests.support.rabbitmq import EXCHANGE, PASSWORDS, RabbitMQ
from tests.support.servers import free_port
from tests.support.timing import PATIENCE, waiting

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def queue(rabbitmq: RabbitMQ) -> Iterator[str]:
    """A classic durable queue: on RabbitMQ 3.10 a quorum queue does not survive a kill in its first minutes."""
    name = rabbitmq.fresh_queue("credential.#")
    yield name
    rabbitmq.delete(name)


def message(position: int, key: str = "credential.added") -> OutgoingMessage:
    return OutgoingMessage(
        position=position,
        routing_key=key,
        message_id=f"id-{position}",
        headers={"cloudEvents:sequence": str(position)},
        body=b'{"a":1}',
        timestamp=MOMENT,
    )


def positions(rabbitmq: RabbitMQ, queue: str) -> list[int]:
    return [position_of(properties.headers) for properties, _ in rabbitmq.drain(queue)]


def open_publisher(rabbitmq: RabbitMQ, window: int = 50) -> Publisher:
    return Publisher(rabbitmq.url, window=window, exchange=EXCHANGE)


def test_messages_arrive_in_order_and_are_confirmed(rabbitmq: RabbitMQ, queue: str) -> None:
    seen = []
    with open_publisher(rabbitmq) as publisher:
        assert publisher.confirmed() == 0
        for position in range(11, 2011):
            publisher.submit(message(position))
            seen.append(publisher.confirmed())
            assert position - seen[-1] <= 51  # never more unconfirmed messages than the window
        assert publisher.wait_confirmed(2010, PATIENCE)
        assert publisher.confirmed() == 2010
    assert seen == sorted(seen)
    assert positions(rabbitmq, queue) == list(range(11, 2011))


def test_a_message_is_a_cloud_event_that_survives_a_restart(rabbitmq: RabbitMQ, queue: str) -> None:
    with open_publisher(rabbitmq) as publisher:
        publisher.submit(message(7))
        assert publisher.wait_confirmed(7, PATIENCE)
    ((properties, body),) = rabbitmq.drain(queue)
    assert body == b'{"a":1}'
    assert properties.content_type == "application/json"
    assert properties.delivery_mode == 2
    assert properties.message_id == "id-7"
    assert properties.type == "credential.added"
    assert properties.timestamp == int(MOMENT.timestamp())
    assert properties.headers == {"cloudEvents:sequence": "7"}


def test_closing_waits_for_unconfirmed_messages(rabbitmq: RabbitMQ, queue: str) -> None:
    with open_publisher(rabbitmq, window=500) as publisher:
        for position in range(1, 401):
            publisher.submit(message(position))
    assert publisher.confirmed() == 400
    assert positions(rabbitmq, queue) == list(range(1, 401))
    assert [thread.name for thread in threading.enumerate() if thread.name == "publisher"] == []


def test_an_unroutable_message_is_reported_and_delays_no_other(rabbitmq: RabbitMQ, queue: str) -> None:
    with open_publisher(rabbitmq) as publisher:
        publish(publisher, 1, 2)
        publisher.submit(message(3, key="nobody.wants.it"))
        publish(publisher, 4, 5)
        assert publisher.confirmed() == 5
        assert publisher.take_refused() == [3]
        assert publisher.take_refused() == []
    assert positions(rabbitmq, queue) == [1, 2, 4, 5]


@pytest.fixture
def full_queue(rabbitmq: RabbitMQ) -> Iterator[str]:
    name = rabbitmq.fresh_queue("credential.#", max_length=2, overflow="reject-publish")
    yield name
    rabbitmq.delete(name)


def test_messages_refused_by_a_full_queue_reach_the_others_in_order(
    rabbitmq: RabbitMQ, queue: str, full_queue: str
) -> None:
    with open_publisher(rabbitmq) as publisher:
        publish(publisher, 1, 100)
        assert publisher.confirmed() == 100
        refused = publisher.take_refused()
    arrived = positions(rabbitmq, full_queue)
    assert set(arrived) | set(refused) == set(range(1, 101))
    assert len(refused) > 50
    assert positions(rabbitmq, queue) == list(range(1, 101))


def test_a_missing_exchange_is_unavailable(rabbitmq: RabbitMQ) -> None:
    with Publisher(rabbitmq.url, exchange="regcred.none") as publisher, pytest.raises(BrokerUnavailable):
        publish(publisher, 1, 1)


def test_a_missing_right_is_unavailable(rabbitmq: RabbitMQ) -> None:
    url = rabbitmq.url_of("regcred-verifier")
    with Publisher(url) as publisher, pytest.raises(BrokerUnavailable):
        publish(publisher, 1, 1)


def test_the_user_of_the_relay_publishes_events(rabbitmq: RabbitMQ) -> None:
    rabbitmq.purge("regcred.projector")  # other tests publish events too
    with Publisher(rabbitmq.url_of("regcred-relay")) as publisher:
        publish(publisher, 1, 20)
    assert positions(rabbitmq, "regcred.projector") == list(range(1, 21))
    rabbitmq.purge("regcred.verifier")


def test_an_unreachable_or_refusing_broker_is_unavailable(rabbitmq: RabbitMQ) -> None:
    for url in (
        f"amqp://regcred-relay:canary@127.0.0.1:{free_port()}/regcred",
        f"amqp://regcred-relay:canary@127.0.0.1:{rabbitmq.port}/regcred",
        f"amqp://regcred-relay:{PASSWORDS['regcred-relay']}@127.0.0.1:{rabbitmq.port}/none",
    ):
        with pytest.raises(BrokerUnavailable) as raised, Publisher(url):
            pass
        assert "canary" not in str(raised.value)


def test_an_alarm_delays_messages_on_the_same_connection(rabbitmq: RabbitMQ, queue: str) -> None:
    window = 10
    with open_publisher(rabbitmq, window=window) as publisher:
        publish(publisher, 1, 5)
        submitted: list[int] = []
        rabbitmq.ctl("set_vm_memory_high_watermark", "absolute", "1MB")
        try:
            with capture_logs() as logs:
                relay = in_thread(lambda: publish(publisher, 6, 1000, submitted))
                waiting(lambda: {"event": "broker_blocks", "log_level": "warning"} in logs)
            # From now on nothing is sent, so that a full window stays full.
            waiting(lambda: 5 + len(submitted) - publisher.confirmed() == window, "the window is full")
            assert len(submitted) < 1000 - 5
        finally:
            rabbitmq.ctl("set_vm_memory_high_watermark", "absolute", "1GB")
        relay.join(PATIENCE)
        assert not relay.is_alive()
        assert publisher.confirmed() == 1000
    assert positions(rabbitmq, queue) == list(range(1, 1001))  # on the same connection: none twice


@pytest.mark.parametrize("fault", ["connections closed", "killed"])
def test_a_fault_between_confirms_loses_no_message(rabbitmq: RabbitMQ, queue: str, fault: str) -> None:
    """A feed that was connected during the fault receives the later messages."""
    feed = PositionFeed(rabbitmq.url, queue, prefetch=1)
    feed.wait(0)
    publisher = open_publisher(rabbitmq)
    submitted: list[int] = []
    failures: list[Exception] = []

    def relay() -> None:
        try:
            with publisher:
                for position in range(1, 10**6):
                    publisher.submit(message(position))
                    submitted.append(position)
                    # The fault takes a second. Without pauses, the test would spend most of its time on messages.
                    if position % 50 == 0:
                        time.sleep(0.02)
        except BrokerUnavailable as error:
            failures.append(error)

    thread = in_thread(relay)
    waiting(lambda: publisher.confirmed() > 500)
    if fault == "killed":
        rabbitmq.kill()
    else:
        rabbitmq.ctl("close_all_connections", "--global", "test")
    thread.join(PATIENCE)
    assert len(failures) == 1
    assert not thread.is_alive()
    confirmed, last = publisher.confirmed(), submitted[-1]
    assert 500 < confirmed <= last
    if fault == "killed":
        rabbitmq.start()

    attempts = publish_until_taken(rabbitmq, confirmed + 1, last + 100)
    waiting(lambda: rabbitmq.consumers(queue) == 1)
    feed.acknowledge_through(0)
    assert feed.wait(PATIENCE) > 0
    feed.close()

    arrived = positions(rabbitmq, queue)
    assert set(arrived) == set(range(1, last + 101))
    assert len(arrived) - len(set(arrived)) <= 51 * attempts  # at most a window of duplicates at each attempt
    assert list(dict.fromkeys(arrived)) == sorted(set(arrived))  # first seen in order


def publish_until_taken(rabbitmq: RabbitMQ, first: int, last: int) -> int:
    """Publish again after the last confirmed position, as the relay does; the number of attempts. A broker that has
    just started accepts publishers before its queues have leaders, and refuses their messages.
    """
    deadline = time.monotonic() + PATIENCE
    for attempt in count(1):
        publisher = open_publisher(rabbitmq)
        try:
            with publisher:
                publish(publisher, first, last)
        except BrokerUnavailable:
            first = max(first, publisher.confirmed() + 1)
        else:
            refused = publisher.take_refused()
            if not refused:
                return attempt
            first = min(refused)
        assert time.monotonic() < deadline, "the broker takes nothing"
        time.sleep(0.2)
    raise AssertionError


def publish(publisher: Publisher, first: int, last: int, submitted: list[int] | None = None) -> None:
    """Submit positions and wait for the last confirm, as the relay does."""
    for position in range(first, last + 1):
        publisher.submit(message(position))
        if submitted is not None:
            submitted.append(position)
    assert publisher.wait_confirmed(last, PATIENCE)


def in_thread(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread
