"""Wake-ups from a queue of a real RabbitMQ: received, acknowledged, and received again after a fault.

The queue shows what a feed has acknowledged: other messages are delivered to the next consumer.
"""

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pika
import pytest
from structlog.testing import capture_logs

from eventlog.broker import connection
from eventlog.broker.cloudevents import position_of
from eventlog.broker.feed import PositionFeed
from tests.support.rabbitmq import EXCHANGE, RabbitMQ
from tests.support.timing import PATIENCE, waiting


def consuming(broker_url: str, queue: str) -> PositionFeed:
    """A feed that has begun to consume."""
    feed = PositionFeed(broker_url, queue, prefetch=200)
    feed.wait(0)
    return feed


@pytest.fixture
def dead(rabbitmq: RabbitMQ) -> Iterator[str]:
    name = rabbitmq.fresh_queue("dead")
    yield name
    rabbitmq.delete(name)


@pytest.fixture
def queue(rabbitmq: RabbitMQ, dead: str) -> Iterator[str]:
    name = rabbitmq.fresh_queue(
        "feed", queue_type="quorum", dead_letter_exchange=EXCHANGE, dead_letter_routing_key="dead"
    )
    yield name
    rabbitmq.delete(name)


@pytest.fixture
def feed(rabbitmq: RabbitMQ, queue: str) -> Iterator[PositionFeed]:
    made = consuming(rabbitmq.url, queue)
    waiting(lambda: rabbitmq.consumers(queue) == 1)
    yield made
    made.close()


def announce(rabbitmq: RabbitMQ, *positions: object) -> None:
    with rabbitmq.connect() as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for position in positions:
            properties = pika.BasicProperties(headers={"cloudEvents:sequence": position})
            channel.basic_publish(EXCHANGE, "feed", b"", properties, mandatory=True)


def left(rabbitmq: RabbitMQ, feed: PositionFeed, queue: str) -> list[int]:
    """The positions that the next consumer would get."""
    feed.close()
    return [position_of(properties.headers) for properties, _ in rabbitmq.drain(queue)]


def woken(rabbitmq: RabbitMQ, feed: PositionFeed, *positions: object) -> int:
    """The result of a wait without an end when these positions are published."""
    with ThreadPoolExecutor(1) as thread:
        wait = thread.submit(feed.wait, 10 * PATIENCE)
        announce(rabbitmq, *positions)
        return wait.result(PATIENCE)


def waited(feed: PositionFeed, seconds: float) -> float:
    started = time.monotonic()
    feed.wait(seconds)
    return time.monotonic() - started


def test_a_message_wakes_a_waiting_consumer_once(rabbitmq: RabbitMQ, feed: PositionFeed) -> None:
    assert feed.wait(0.1) == 0
    assert woken(rabbitmq, feed, "3", "1", "2") in {1, 3}
    waiting(lambda: feed.wait(0.1) == 3)
    waiting(lambda: waited(feed, 0.3) >= 0.29)  # the last of the three may have come later
    assert feed.wait(0.1) == 3  # the same as before, after the whole wait
    assert woken(rabbitmq, feed, "2") == 3  # older positions wake it too: the log is read again


def test_only_handled_positions_are_acknowledged(rabbitmq: RabbitMQ, feed: PositionFeed, queue: str) -> None:
    announce(rabbitmq, "1", "5", "2", "3", "6")
    waiting(lambda: feed.wait(1) == 6)
    feed.acknowledge_through(3)
    waiting(lambda: rabbitmq.depth(queue) == 2)
    feed.acknowledge_through(2)  # never back
    assert left(rabbitmq, feed, queue) == [5, 6]


def test_messages_of_handled_positions_are_acknowledged_on_arrival(
    rabbitmq: RabbitMQ, feed: PositionFeed, queue: str
) -> None:
    """The log is read ahead of the messages: they arrive late, after their positions were handled."""
    feed.acknowledge_through(10)
    announce(rabbitmq, "9", "10", "11")
    waiting(lambda: feed.wait(1) == 11)
    assert left(rabbitmq, feed, queue) == [11]


def test_a_message_beyond_the_end_of_the_log_is_acknowledged(
    rabbitmq: RabbitMQ, feed: PositionFeed, queue: str
) -> None:
    """The log was restored, or the message is forged. Messages that came after the last wait may be newer."""
    announce(rabbitmq, "2", "900")
    waiting(lambda: feed.wait(1) == 900)
    announce(rabbitmq, "3")
    waiting(lambda: rabbitmq.depth(queue) == 3)
    feed.drop_beyond(2)
    waiting(lambda: rabbitmq.depth(queue) == 2)
    feed.acknowledge_through(2)
    assert left(rabbitmq, feed, queue) == [3]


def test_unacknowledged_messages_come_to_the_next_consumer(rabbitmq: RabbitMQ, queue: str) -> None:
    announce(rabbitmq, "1", "2", "3")
    first = consuming(rabbitmq.url, queue)
    waiting(lambda: first.wait(1) == 3)
    first.acknowledge_through(1)
    first.close()
    waiting(lambda: rabbitmq.consumers(queue) == 0)
    second = consuming(rabbitmq.url, queue)
    waiting(lambda: second.wait(1) == 3)
    assert left(rabbitmq, second, queue) == [2, 3]


def test_a_message_without_a_position_is_rejected_and_delays_no_other(
    rabbitmq: RabbitMQ, feed: PositionFeed, queue: str, dead: str
) -> None:
    announce(rabbitmq, "1", "none", 7, "", "2")
    waiting(lambda: feed.wait(1) == 2)
    assert rabbitmq.consumers(queue) == 1
    feed.acknowledge_through(2)
    assert left(rabbitmq, feed, queue) == []
    assert len(rabbitmq.drain(dead)) == 3


def test_a_cut_connection_is_opened_again(rabbitmq: RabbitMQ, feed: PositionFeed, queue: str) -> None:
    announce(rabbitmq, "1", "2")
    waiting(lambda: feed.wait(1) == 2)
    rabbitmq.ctl("close_all_connections", "--global", "test")
    feed.acknowledge_through(1)  # while it is away, or just before it notices
    announce(rabbitmq, "3")
    waiting(lambda: feed.wait(1) == 3)
    feed.acknowledge_through(2)
    assert left(rabbitmq, feed, queue) == [3]


def test_acknowledging_on_a_lost_connection_is_no_error(
    rabbitmq: RabbitMQ, feed: PositionFeed, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection reports that it is open, and is closed at the next call."""
    announce(rabbitmq, "1", "2")
    waiting(lambda: feed.wait(1) == 2)

    def lost(_connection: pika.BlockingConnection, _callback: Callable[[], None]) -> None:
        raise pika.exceptions.ConnectionWrongStateError("closed meanwhile")

    with monkeypatch.context() as now:
        now.setattr(pika.BlockingConnection, "add_callback_threadsafe", lost)
        feed.acknowledge_through(1)
    assert left(rabbitmq, feed, queue) == [2]


def test_a_deleted_queue_is_consumed_again_after_its_return(rabbitmq: RabbitMQ) -> None:
    """The broker ends the subscription and leaves connection and channel open and silent."""
    queue = rabbitmq.fresh_queue("feed")
    feed = consuming(rabbitmq.url, queue)
    waiting(lambda: rabbitmq.consumers(queue) == 1)
    rabbitmq.delete(queue)
    with rabbitmq.connect() as connection:
        channel = connection.channel()
        channel.queue_declare(queue, durable=True)
        channel.queue_bind(queue, EXCHANGE, "feed")
    waiting(lambda: rabbitmq.consumers(queue) == 1)
    announce(rabbitmq, "4")
    waiting(lambda: feed.wait(1) == 4)
    feed.close()
    rabbitmq.delete(queue)


def test_each_user_consumes_its_own_queue_only(rabbitmq: RabbitMQ) -> None:
    own = consuming(rabbitmq.url_of("regcred-verifier"), "regcred.verifier")
    other = consuming(rabbitmq.url_of("regcred-verifier"), "regcred.projector")
    waiting(lambda: rabbitmq.consumers("regcred.verifier") == 1)
    waiting(
        lambda: rabbitmq.consumers("regcred.projector") == 0
    )  # a consumer of an earlier test may be there
    own.close()
    other.close()


def test_a_consumer_that_does_not_wait_leaves_messages_to_others(rabbitmq: RabbitMQ, queue: str) -> None:
    """One of several processes leads: the others must not hold messages that they never acknowledge."""
    standing_by = PositionFeed(rabbitmq.url, queue, prefetch=200)
    announce(rabbitmq, "1", "2")
    leading = consuming(rabbitmq.url, queue)
    waiting(lambda: leading.wait(1) == 2)
    assert rabbitmq.consumers(queue) == 1
    leading.acknowledge_through(1)
    leading.release()
    waiting(lambda: rabbitmq.consumers(queue) == 0)
    waiting(lambda: standing_by.wait(1) == 2)
    leading.close()
    assert left(rabbitmq, standing_by, queue) == [2]


def test_handled_positions_are_acknowledged_on_close(rabbitmq: RabbitMQ, queue: str) -> None:
    feed = consuming(rabbitmq.url, queue)
    announce(rabbitmq, "1", "2", "3")
    waiting(lambda: feed.wait(1) == 3)
    feed.acknowledge_through(2)
    assert left(rabbitmq, feed, queue) == [3]


def test_a_feed_outlives_a_broker_that_accepts_connections_and_is_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The kernel of a stopped broker completes the handshake of TCP."""
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 0.2)
    with ExitStack() as accepted:
        silent = accepted.enter_context(socket.create_server(("127.0.0.1", 0)))
        with capture_logs() as logs:
            feed = consuming(f"amqp://nobody:none@127.0.0.1:{silent.getsockname()[1]}/none", "none")
            for _ in range(2):  # it tries again
                accepted.enter_context(silent.accept()[0])
        assert [line["reason"] for line in logs] == ["it did not respond in time"]
        feed.close()
