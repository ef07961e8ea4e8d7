"""The example consumer as an operator would run it: its own user, its own process, a real RabbitMQ."""

import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid5

import pika
import pytest
from msgspec.structs import replace
from pika.exceptions import ChannelClosedByBroker

from contracts.credential_events import (
    CredentialRemoved,
    CredentialRestrictionsChanged,
    Restrictions,
    VerificationRequested,
)
from contracts.streams import credential_stream
from eventlog.broker import OutgoingMessage, Publisher, outgoing_message
from eventlog.events import Actor, Metadata, StoredEvent, encode, encode_metadata
from eventlog.topology import EXCHANGE, VHOST
from tests.integration.broker.conftest import NEWEST_VERSION
from tests.support.rabbitmq import RabbitMQ
from tests.support.servers import ROOT
from tests.support.timing import PATIENCE, waiting

FOLDER = ROOT / "docs" / "examples" / "consumer"
USER = "platform-pull-secrets"
QUEUE = "platform.pull-secrets"
MOMENT = datetime(2026, 1, 2, tzinfo=UTC)
SHOP, BLOG = UUID(int=1), UUID(int=2)


def message(position: int, payload: object) -> OutgoingMessage:
    """The message that the relay publishes for this event."""
    name, version, data = encode(payload)
    metadata = Metadata(
        account_id="acme",
        actor=Actor(type="user", id="u", name="Ada"),
        occurred_at=MOMENT,
        request_id="r",
        correlation_id="c",
    )
    return outgoing_message(
        StoredEvent(
            event_id=uuid5(SHOP, str(position)),
            stream=credential_stream(SHOP),
            version=position,
            type=name,
            schema_version=version,
            payload=data.decode(),
            metadata=encode_metadata(metadata).decode(),
            recorded_at=MOMENT,
            position=position,
        ),
        BLOG,
    )


def restricted(position: int, credential: UUID = SHOP) -> OutgoingMessage:
    everybody = Restrictions(restricted=False, projects=())
    only_shop = Restrictions(restricted=True, projects=("shop",))
    return message(
        position,
        CredentialRestrictionsChanged(credential_id=credential, restrictions=only_shop, previous=everybody),
    )


def removed(position: int, credential: UUID = SHOP) -> OutgoingMessage:
    return message(position, CredentialRemoved(credential_id=credential, reason=None, forced=False))


def publish(broker: RabbitMQ, *messages: OutgoingMessage) -> None:
    """Publish in the order of positions without a gap, as a relay does."""
    with Publisher(broker.url_of("regcred-relay")) as publisher:
        for one in messages:
            publisher.submit(one)
        assert publisher.wait_confirmed(messages[-1].position, PATIENCE)


class Consumer:
    """The program in a process of its own."""

    def __init__(self, url: str, folder: Path) -> None:
        self.database = folder / "due.sqlite"
        self.log = folder / "log"
        self._environment = {
            "PATH": os.environ["PATH"],
            "BROKER_URL": url,
            "QUEUE": QUEUE,
            "DATABASE": str(self.database),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        seen = self.said("consuming from")
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, FOLDER / "consumer.py"], env=self._environment, stdout=log, stderr=log
            )
        waiting(lambda: self.said("consuming from") > seen)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Its exit status."""
        assert self._process is not None
        self._process.send_signal(number)
        status = self._process.wait(PATIENCE)
        self._process = None
        return status

    def left(self) -> int:
        """Messages in its queue, while it is stopped."""
        with pika.BlockingConnection(pika.URLParameters(self._environment["BROKER_URL"])) as connection:
            return int(connection.channel().queue_declare(QUEUE, passive=True).method.message_count)

    def said(self, text: str) -> int:
        """How often its log has this text."""
        return self.log.read_text().count(text) if self.log.exists() else 0

    def due(self) -> list[tuple[str, str, int]]:
        with sqlite3.connect(self.database) as database:
            rows = database.execute("SELECT credential_id, why, position FROM due ORDER BY 1").fetchall()
        database.close()
        return [(str(UUID(credential)), why, position) for credential, why, position in rows]

    def end(self) -> None:
        if self._process is not None:
            self.stop(signal.SIGKILL)


@pytest.fixture(scope="module")
def url(rabbitmq: RabbitMQ) -> str:
    """The URL of a user that has the rights of the README, granted with its commands."""
    commands = re.sub(r"\\\n", " ", (FOLDER / "README.md").read_text(encoding="utf-8"))
    granted = [shlex.split(line)[1:] for line in commands.splitlines() if line.startswith("rabbitmqctl ")]
    assert [command[0] for command in granted] == ["add_user", "set_permissions", "set_topic_permissions"]
    rabbitmq.ctl(*granted[0], "secret")
    for command in granted[1:]:
        rabbitmq.ctl(*command)
    return f"amqp://{USER}:secret@127.0.0.1:{rabbitmq.port}/{VHOST}"


@pytest.fixture
def consumer(url: str, tmp_path: Path) -> Iterator[Consumer]:
    with started(url, tmp_path) as consumer:
        yield consumer


@contextmanager
def started(url: str, folder: Path) -> Iterator[Consumer]:
    """The consumer runs, and its queues are deleted afterwards."""
    consumer = Consumer(url, folder)
    consumer.start()
    yield consumer
    consumer.end()
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        for name in (QUEUE, f"{QUEUE}.dead"):
            channel.queue_delete(name)
        channel.exchange_delete(f"{QUEUE}.dead")


def test_each_event_has_its_effect_once(rabbitmq: RabbitMQ, consumer: Consumer) -> None:
    verification = VerificationRequested(credential_id=SHOP, secret_version=1, trigger="requested")
    publish(rabbitmq, restricted(1), message(2, verification), removed(3, BLOG), removed(4))
    publish(rabbitmq, restricted(1), message(2, verification), removed(3, BLOG), removed(4))
    waiting(lambda: consumer.said("repeated") == 3)
    assert consumer.said("recorded") == 3
    assert consumer.due() == [
        (str(SHOP), "credential.removed", 4),
        (str(BLOG), "credential.removed", 3),
    ]
    assert consumer.stop() == 0
    assert consumer.said("stopped") == 1
    assert consumer.left() == 0


@NEWEST_VERSION
def test_the_latest_position_counts_in_any_order(rabbitmq: RabbitMQ, consumer: Consumer) -> None:
    publish(rabbitmq, removed(20))
    publish(rabbitmq, restricted(19))
    waiting(lambda: consumer.said("recorded") == 2)
    assert consumer.due() == [(str(SHOP), "credential.removed", 20)]


@NEWEST_VERSION
def test_events_wait_for_a_stopped_consumer(rabbitmq: RabbitMQ, consumer: Consumer) -> None:
    assert consumer.stop() == 0
    publish(rabbitmq, *(restricted(position, UUID(int=position)) for position in range(30, 130)))
    assert consumer.left() == 100
    consumer.start()
    waiting(lambda: consumer.said("recorded") == 100)
    assert len(consumer.due()) == 100
    assert consumer.stop() == 0
    assert consumer.left() == 0


@NEWEST_VERSION
def test_a_kill_loses_and_repeats_no_effect(rabbitmq: RabbitMQ, consumer: Consumer) -> None:
    publish(rabbitmq, *(restricted(position, UUID(int=position)) for position in range(200, 1200)))
    waiting(lambda: consumer.said("recorded") > 10)
    consumer.stop(signal.SIGKILL)
    before = len(consumer.due())
    assert 0 < before < 1000
    consumer.start()
    waiting(lambda: len(consumer.due()) == 1000)
    assert consumer.stop() == 0
    assert consumer.left() == 0
    assert consumer.said("recorded") <= 1000


@NEWEST_VERSION
def test_the_consumer_reconnects_after_losing_connection_or_queue(
    rabbitmq: RabbitMQ, consumer: Consumer
) -> None:
    rabbitmq.ctl("close_all_user_connections", USER, "a test")
    waiting(lambda: consumer.said("consuming from") == 2)
    assert consumer.said("interrupted by ") == 1
    rabbitmq.ctl("delete_queue", QUEUE, "-p", VHOST)
    waiting(lambda: consumer.said("consuming from") == 3)
    publish(rabbitmq, removed(1300))
    waiting(lambda: consumer.said("recorded") == 1)


@NEWEST_VERSION
def test_unreadable_messages_are_rejected_and_delay_no_other(rabbitmq: RabbitMQ, consumer: Consumer) -> None:
    good = removed(1400)
    newer = {**good.headers, "cloudEvents:dataschema": "urn:regcred:events:credential.removed:2"}
    nowhere = {**good.headers, "cloudEvents:sequence": "9" * 40}
    publish(
        rabbitmq,
        replace(good, body=b"{"),
        replace(good, position=1401, body=b"[]"),
        replace(good, position=1402, headers=newer),
        replace(good, position=1403, headers={}),
    )
    publish(rabbitmq, replace(good, headers=nowhere))
    publish(rabbitmq, replace(good, body=good.body[:-1] + b', "added_later": {}}'))
    waiting(lambda: consumer.said("recorded") == 1)
    waiting(lambda: rabbitmq.depth(f"{QUEUE}.dead") == 5)
    assert consumer.due() == [(str(SHOP), "credential.removed", 1400)]


@pytest.fixture(scope="module")
def with_queues(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The consumer has declared its queues."""
    with started(url, tmp_path_factory.mktemp("consumer")):
        yield


@pytest.mark.usefixtures("with_queues")
@pytest.mark.parametrize(
    "attempt",
    [
        lambda channel: channel.queue_bind(QUEUE, EXCHANGE, "#"),
        lambda channel: channel.queue_bind(QUEUE, EXCHANGE, "verification.failed"),
        lambda channel: channel.basic_publish(EXCHANGE, "credential.removed", b"{}"),
        lambda channel: channel.basic_publish("", "regcred.projector", b"{}"),
        lambda channel: channel.basic_get("regcred.projector"),
        lambda channel: channel.queue_purge("regcred.verifier"),
        lambda channel: channel.queue_declare("regcred.mine", durable=True),
        lambda channel: channel.queue_declare("platform.other", durable=True),
        lambda channel: channel.queue_unbind("regcred.projector", EXCHANGE, "#"),
        lambda channel: channel.exchange_delete(EXCHANGE),
    ],
    ids=[
        "bind all",
        "bind others",
        "publish",
        "default",
        "read",
        "purge",
        "declare",
        "other",
        "unbind",
        "delete",
    ],
)
def test_its_user_has_no_other_rights(url: str, attempt: Callable[[object], object]) -> None:
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        with pytest.raises(ChannelClosedByBroker, match="ACCESS_REFUSED"):
            attempt(channel)
