"""The publishing thread of the relay on a real log and a real RabbitMQ: faults of the broker, of queues, of leaders."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from threading import Event, Thread

import pytest
from structlog.testing import capture_logs

from credentials.relay.event_messages import Messages
from credentials.relay.publisher import RelayPublisher
from credentials.relay.refused_messages import RefusedMessages
from eventlog import dead_letters
from eventlog.broker import Publisher
from eventlog.broker.cloudevents import position_of
from eventlog.consumers import consumer_metrics
from eventlog.storage import StaleLeader
from eventlog.topology import EXCHANGE, LAST_PUBLISHED, VHOST
from tests.integration.projector import payloads
from tests.integration.projector.payloads import Log, open_log
from tests.support.log import Connection, lead, relay_of, scalar, sequence, sequence_all
from tests.support.postgres import migrated_database
from tests.support.rabbitmq import RabbitMQ
from tests.support.timing import PATIENCE, waiting

ROLE = "regcred_relay"
TIERS = (timedelta(milliseconds=50), timedelta(milliseconds=50))
REFUSING = {"x-max-length": 1, "x-overflow": "reject-publish"}


@dataclass
class Publishing:
    """The thread, with the log that it publishes. The test is the leading relay."""

    log: Log
    relay: Connection
    publisher: RelayPublisher
    epoch: int
    count: int = 0

    def append(self, count: int = 1) -> int:
        """Append events of one type, and report their positions. Returns the last one."""
        for _ in range(count):
            self.count += 1
            self.log.append_payload(payloads.added(self.count, f"team-{self.count}"))
        last = sequence_all(self.relay, self.epoch)
        self.publisher.announce(self.epoch, last)
        return last

    def published(self) -> int:
        return int(scalar(self.relay, "SELECT published FROM es.relay"))

    def waiting_for(self, position: int) -> None:
        waiting(lambda: self.published() == position, f"position {position} is published")

    def retrying(self) -> int:
        return int(scalar(self.relay, "SELECT count(*) FROM es.retries WHERE consumer = 'publishing'"))

    def dead(self) -> list[int]:
        query = "SELECT position FROM es.dead_letters WHERE consumer = 'publishing' ORDER BY position"
        return [position for (position,) in self.relay.execute(query).fetchall()]


@contextmanager
def running(rabbitmq: RabbitMQ, *, tiers: Sequence[timedelta]) -> Iterator[Publishing]:
    stop = Event()
    with migrated_database() as url, open_log(url) as log, relay_of(url) as relay:
        publisher = RelayPublisher(url, rabbitmq.url, role=ROLE, jitter=lambda: 0.5, stop=stop, tiers=tiers)
        thread = Thread(target=publisher.run)
        thread.start()
        try:
            yield Publishing(log, relay, publisher, lead(relay))
        finally:
            stop.set()
            thread.join(PATIENCE)
            rabbitmq.purge("regcred.verifier", "regcred.projector", LAST_PUBLISHED)


@pytest.fixture
def publishing(rabbitmq: RabbitMQ) -> Iterator[Publishing]:
    with running(rabbitmq, tiers=TIERS) as made:
        yield made


@contextmanager
def bound_queue(rabbitmq: RabbitMQ, name: str, arguments: dict[str, object] | None = None) -> Iterator[str]:
    """A queue of another consumer."""
    with rabbitmq.connect() as connection:
        channel = connection.channel()
        channel.queue_declare(name, durable=True, arguments=arguments)
        channel.queue_bind(name, EXCHANGE, "#")
    try:
        yield name
    finally:
        rabbitmq.delete(name)


def positions(rabbitmq: RabbitMQ, queue: str) -> list[int]:
    return [position_of(properties.headers) for properties, _ in rabbitmq.drain(queue)]


def restart_broker(rabbitmq: RabbitMQ) -> None:
    rabbitmq.ctl("stop_app")
    rabbitmq.ctl("start_app")


def close_connections(rabbitmq: RabbitMQ) -> None:
    rabbitmq.ctl("close_all_connections", "--global", "test")


@pytest.mark.parametrize("fault", [close_connections, restart_broker])
def test_one_event_after_a_fault_while_idle_is_published(
    publishing: Publishing, rabbitmq: RabbitMQ, fault: Callable[[RabbitMQ], None]
) -> None:
    publishing.waiting_for(publishing.append())
    fault(rabbitmq)
    publishing.waiting_for(publishing.append())


def test_a_queue_that_refuses_holds_up_nobody(publishing: Publishing, rabbitmq: RabbitMQ) -> None:
    with bound_queue(rabbitmq, "regcred.test.healthy") as healthy:
        with bound_queue(rabbitmq, "regcred.test.refusing", REFUSING):
            with capture_logs() as lines:
                publishing.waiting_for(last := publishing.append(40))
                waiting(lambda: not publishing.retrying(), "the retries have ended")
            refused = publishing.dead()
            assert 30 < len(refused) < 40  # a classic queue exceeds its limit a little
            assert "messages_refused" in {line["event"] for line in lines}
            [shown] = [one for one in consumer_metrics(publishing.relay) if one.consumer == "publishing"]
            assert shown.dead_letters == len(refused)

            received = positions(rabbitmq, healthy)
            assert list(dict.fromkeys(received)) == list(range(1, last + 1))  # first deliveries in order
            # One message of the type is repeated for each tier, whatever the number of refused ones. Messages that were
            # recorded later can be due later than the others.
            assert len(received) - last <= 3 * len(TIERS)

            later = publishing.append(5)  # of a type that is given up: not one is repeated
            publishing.waiting_for(later)
            assert not publishing.retrying()
            assert positions(rabbitmq, healthy) == list(range(last + 1, later + 1))
        letters = dead_letters.find(publishing.log.connection, consumer="publishing")
        dead_letters.redrive(publishing.log.connection, letters, person="a test")
        waiting(
            lambda: not publishing.retrying() and not publishing.dead(), "the redriven messages are confirmed"
        )
        again = positions(rabbitmq, healthy)
        assert sorted(again) == sorted(letter.position for letter in letters)


def test_a_refused_message_arrives_when_its_queue_has_room(rabbitmq: RabbitMQ) -> None:
    with (
        running(rabbitmq, tiers=(timedelta(hours=1),)) as publishing,
        bound_queue(rabbitmq, "regcred.test.full") as full,
    ):
        limit = '{"max-length":1,"overflow":"reject-publish"}'
        rabbitmq.ctl("set_policy", "-p", VHOST, "full", "^regcred.test.full$", limit, "--apply-to", "queues")
        try:
            publishing.waiting_for(publishing.append(10))
        finally:
            rabbitmq.ctl("clear_policy", "-p", VHOST, "full")
        assert publishing.retrying()
        publishing.log.connection.execute("UPDATE es.retries SET due_at = clock_timestamp()")
        waiting(lambda: not publishing.retrying(), "the messages are retried")
        assert publishing.dead() == []
        assert sorted(positions(rabbitmq, full)) == list(range(1, 11))


def test_a_leader_again_publishes_after_another_one_led(publishing: Publishing) -> None:
    publishing.waiting_for(publishing.append())
    with capture_logs() as lines:
        publishing.epoch = lead(publishing.relay)  # another relay, which announces nothing to this one
        publishing.log.append_payload(payloads.added(99, "another"))
        last = sequence(publishing.relay, publishing.epoch)
        publishing.publisher._new_positions.set()
        waiting(lambda: "publisher_superseded" in {line["event"] for line in lines})
    publishing.epoch = lead(publishing.relay)
    publishing.publisher.announce(publishing.epoch, last)
    publishing.waiting_for(last)


def test_a_former_leader_neither_publishes_nor_records_refused_messages(rabbitmq: RabbitMQ) -> None:
    messages = Messages(None)
    refused = RefusedMessages(TIERS, None, messages)
    with (
        migrated_database() as url,
        open_log(url) as log,
        relay_of(url) as relay,
        bound_queue(rabbitmq, "regcred.test.healthy") as healthy,
    ):
        messages.begin(relay)
        former = lead(relay)
        log.append_payload(payloads.added(1, "team-1"))
        position = sequence(relay, former)
        log.connection.execute(
            "INSERT INTO es.retries (consumer, position, stream_id, attempts, due_at, reason)"
            " SELECT 'publishing', position, stream_id, 1, clock_timestamp(), 'a test' FROM es.log"
        )

        def another_leads() -> Publisher:
            lead(relay)
            return Publisher(rabbitmq.url)

        for _ in range(2):  # while the messages are published, and before
            with pytest.raises(StaleLeader):
                refused.retry_due(relay, former, another_leads)
            assert scalar(relay, "SELECT count(*) FROM es.retries") == 1
        assert positions(rabbitmq, healthy) == [position]
