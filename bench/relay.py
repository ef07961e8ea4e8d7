"""Messages per second of the relay. The target is twice the highest rate of appends of the same run.

A bare pika publisher of the same messages shows the share of the broker and pika.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from threading import Event, Thread
from typing import Any

import pika
import psycopg

from bench.append import QUICK_SECONDS, SECONDS, highest_rate
from bench.benchmark import Benchmark, Options, Row, Target
from bench.personal import fresh_keys
from bench.rebuild import assign_positions, fill
from bench.servers import postgres
from credentials.relay.publisher import RelayPublisher
from eventlog.broker import CONTENT_TYPE, OutgoingMessage, outgoing_message
from eventlog.broker.connection import parameters
from eventlog.broker.publisher import WINDOW
from eventlog.storage import PersonalKeys, read_log
from eventlog.topology import EXCHANGE
from operations.migrate.migrations import migrate
from secretstore.installation import installation_id
from tests.support.rabbitmq import RabbitMQ

EVENTS_NUMBER, QUICK_NUMBER = 30_000, 3_000
QUEUES = ("regcred.projector", "regcred.verifier")
WAIT_SECONDS = 120.0


@contextmanager
def open_relay(options: Options) -> Iterator[list[Benchmark]]:
    """Relay and bare publisher publish the complete log into the same quorum queues, without consumers."""
    number = QUICK_NUMBER if options.quick else EVENTS_NUMBER
    with postgres() as server, server.fresh() as url, RabbitMQ() as broker:
        migrate(url)
        personal = fresh_keys()
        fill(url, number, personal)
        assign_positions(url)
        with psycopg.connect(url) as connection:
            installation = installation_id(connection)
            messages = [
                outgoing_message(event, installation)
                for event in read_log(connection, 0, number, personal=personal)
            ]
        ours = partial(_ours, url, broker, number, personal)
        bare = partial(_bare, broker, messages)
        appends = partial(highest_rate, server, QUICK_SECONDS if options.quick else SECONDS)
        rows = [
            Row(name="relay", unit="messages/s", ours="relay", limit="bare pika"),
            Row(
                name="relay beside the highest rate of appends (peer)",
                unit="1/s",
                ours="relay",
                peer="append",
                targets=(Target("ours/peer", least=2),),
            ),
        ]
        yield [Benchmark(runs=[ours, bare, appends], rows=rows)]


def _ours(url: str, broker: RabbitMQ, number: int, personal: PersonalKeys) -> Mapping[str, float]:
    """Measure from the announcement of the log to the relay until its checkpoint is at the end."""
    broker.purge(*QUEUES)
    stop = Event()
    publishing = RelayPublisher(
        url,
        broker.url_of("regcred-relay"),
        role="regcred_relay",
        jitter=lambda: 0.0,
        stop=stop,
        personal=personal,
    )
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE es.relay SET published = 0")
        row = connection.execute("SELECT es.lead('relay', '0')").fetchone()
        assert row is not None
        thread = Thread(target=publishing.run)
        started = time.monotonic()
        thread.start()
        publishing.announce(row[0], number)
        while (published := _published(connection)) < number:
            assert time.monotonic() - started < WAIT_SECONDS, f"published up to {published} only"
            time.sleep(0.005)
        seconds = time.monotonic() - started
    stop.set()
    thread.join()
    return {"relay": number / seconds}


def _published(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT published FROM es.relay WHERE name = 'log'").fetchone()
    assert row is not None
    return int(row[0])


def _bare(broker: RabbitMQ, messages: list[OutgoingMessage]) -> Mapping[str, float]:
    """Measure from the connection to the last confirm. The encoding of the messages is included."""
    broker.purge(*QUEUES)
    started = time.monotonic()
    publisher = _BarePublisher(broker, messages)
    publisher.connection.ioloop.start()
    assert publisher.confirmed == len(messages)
    return {"bare pika": len(messages) / (time.monotonic() - started)}


class _BarePublisher:
    """Publishes a list of messages with asynchronous confirms and the window of the relay."""

    def __init__(self, broker: RabbitMQ, messages: list[OutgoingMessage]) -> None:
        self._messages = messages
        self._sent = 0
        self._unconfirmed: set[int] = set()
        self._lowest = 1  # delivery tag that may still be unconfirmed
        self._channel: Any = None
        self.connection = pika.SelectConnection(
            parameters(broker.url_of("regcred-relay")),
            on_open_callback=lambda connection: connection.channel(on_open_callback=self._on_channel),
            on_close_callback=lambda connection, _reason: connection.ioloop.stop(),
        )

    @property
    def confirmed(self) -> int:
        return self._sent - len(self._unconfirmed)

    def _on_channel(self, channel: Any) -> None:
        self._channel = channel
        channel.confirm_delivery(self._on_confirm, lambda _frame: self._fill())

    def _fill(self) -> None:
        while self._sent < len(self._messages) and len(self._unconfirmed) < WINDOW:
            message = self._messages[self._sent]
            self._sent += 1
            self._unconfirmed.add(self._sent)
            properties = pika.BasicProperties(
                content_type=CONTENT_TYPE,
                delivery_mode=2,
                message_id=message.message_id,
                type=message.routing_key,
                timestamp=int(message.timestamp.timestamp()),
                headers=dict(message.headers),
            )
            self._channel.basic_publish(
                EXCHANGE, message.routing_key, message.body, properties, mandatory=True
            )

    def _on_confirm(self, frame: Any) -> None:
        assert frame.method.NAME == "Basic.Ack"
        tag = frame.method.delivery_tag
        if frame.method.multiple:
            self._unconfirmed.difference_update(range(self._lowest, tag + 1))
            self._lowest = tag + 1
        else:
            self._unconfirmed.discard(tag)
        self._fill()
        if not self._unconfirmed:
            self.connection.close()
