"""Exchanges, queues and rights on a real RabbitMQ: by declaration, by the definitions file, by attempt."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pika
import pytest
from pika.exceptions import AMQPError, ChannelClosedByBroker

from contracts.broker import TOPOLOGY
from eventlog import topology
from eventlog.broker import BrokerUnavailable, declare_topology
from tests.support.rabbitmq import DEPLOY, PASSWORDS, RabbitMQ
from tests.support.servers import free_port
from tests.support.timing import PATIENCE

OTHER = "declared"  # a virtual host that is filled by declaration alone

_WANTED = TOPOLOGY
# Other tests have queues in the same virtual host.
OURS = {exchange.name for exchange in _WANTED.exchanges} | {queue.name for queue in _WANTED.queues}


@pytest.fixture(scope="module")
def declared_url(rabbitmq: RabbitMQ) -> str:
    rabbitmq.ctl("add_vhost", OTHER)
    rabbitmq.ctl("set_permissions", "-p", OTHER, DEPLOY, *(["^regcred[.]"] * 3))
    return f"amqp://{DEPLOY}:{PASSWORDS[DEPLOY]}@127.0.0.1:{rabbitmq.port}/{OTHER}"


def things(document: dict[str, Any], kind: str, vhost: str) -> list[str]:
    """The exchanges, queues or bindings of regcred in a virtual host, in a comparable form."""
    found = [
        {name: value for name, value in thing.items() if name not in {"vhost", "internal"}}
        for thing in document[kind]
        if thing["vhost"] == vhost and (thing.get("name") or thing["destination"]) in OURS
    ]
    return sorted(json.dumps(thing, sort_keys=True) for thing in found)


def test_repeated_and_concurrent_declarations_match_the_definitions_file(
    rabbitmq: RabbitMQ, declared_url: str
) -> None:
    with ThreadPoolExecutor(2) as deployers:
        list(deployers.map(declare_topology, [declared_url] * 2, [TOPOLOGY] * 2))
    declare_topology(declared_url, TOPOLOGY)
    declare_topology(rabbitmq.url, TOPOLOGY)  # over the result of the definitions file: nothing differs
    exported = json.loads(rabbitmq.ctl("export_definitions", "-"))
    for kind in ("exchanges", "queues", "bindings"):
        by_file = things(exported, kind, topology.VHOST)
        assert by_file == things(exported, kind, OTHER)
        assert len(by_file) == len(getattr(_WANTED, kind))
    policies = {policy["name"]: policy for policy in exported["policies"]}
    for queue in _WANTED.queues:
        assert policies[queue.name]["definition"] == {"max-length-bytes": queue.max_bytes}
    assert {
        row["user"]: (row["configure"], row["write"], row["read"])
        for row in exported["permissions"]
        if row["vhost"] == topology.VHOST and row["user"] in TOPOLOGY.users
    } == {name: (rights.configure, rights.write, rights.read) for name, rights in TOPOLOGY.users.items()}


def test_each_policy_applies_to_its_queue_only(rabbitmq: RabbitMQ) -> None:
    rows = json.loads(
        rabbitmq.ctl("--formatter=json", "list_queues", "-p", topology.VHOST, "name", "policy", "type")
    )
    met = {row["name"]: (row["policy"], row["type"]) for row in rows}
    for queue in _WANTED.queues:
        assert met[queue.name] == (queue.name, "quorum")


def test_a_different_queue_of_the_same_name_is_reported(rabbitmq: RabbitMQ, declared_url: str) -> None:
    declare_topology(declared_url, TOPOLOGY)
    with pika.BlockingConnection(pika.URLParameters(declared_url)) as connection:
        channel = connection.channel()
        channel.queue_delete("regcred.verifier.dead")
        channel.queue_declare("regcred.verifier.dead", durable=True)
    with pytest.raises(BrokerUnavailable, match="406 PRECONDITION_FAILED") as raised:
        declare_topology(declared_url, TOPOLOGY)
    assert PASSWORDS[DEPLOY] not in str(raised.value)
    with pika.BlockingConnection(pika.URLParameters(declared_url)) as connection:
        connection.channel().queue_delete("regcred.verifier.dead")
    declare_topology(declared_url, TOPOLOGY)


def test_an_unreachable_or_refusing_broker_is_unavailable(rabbitmq: RabbitMQ) -> None:
    for url in (
        f"amqp://{DEPLOY}:canary@127.0.0.1:{free_port()}/regcred",
        f"amqp://{DEPLOY}:canary@127.0.0.1:{rabbitmq.port}/regcred",
    ):
        with pytest.raises(BrokerUnavailable) as raised:
            declare_topology(url, TOPOLOGY)
        assert "canary" not in str(raised.value) + repr(raised.value.__cause__)


def publish(exchange: str, key: str = "x") -> Callable[[Any], None]:
    def attempt(channel: Any) -> None:
        channel.confirm_delivery()
        channel.basic_publish(exchange, key, b"", mandatory=False)

    return attempt


def read(queue: str) -> Callable[[Any], None]:
    return lambda channel: channel.basic_get(queue, auto_ack=False)


def declare_queue(name: str) -> Callable[[Any], None]:
    return lambda channel: channel.queue_declare(name, durable=True, arguments={"x-queue-type": "quorum"})


ATTEMPTS: dict[str, Callable[[Any], None]] = {
    "publish events": publish("regcred.events", "no.such"),
    "publish to the default exchange": publish("", "regcred.verifier"),
    "publish to verifier.dead": publish("regcred.verifier.dead"),
    "publish to projector.dead": publish("regcred.projector.dead"),
    "read the last message": read("regcred.published"),
    "read verifier": read("regcred.verifier"),
    "read verifier.dead": read("regcred.verifier.dead"),
    "read projector": read("regcred.projector"),
    "read projector.dead": read("regcred.projector.dead"),
    "declare a queue": declare_queue("regcred.new"),
    "declare a queue elsewhere": declare_queue("other"),
    "declare an exchange": lambda channel: channel.exchange_declare("regcred.new", "topic"),
    "delete a queue": lambda channel: channel.queue_delete("regcred.new"),
    "bind": lambda channel: channel.queue_bind("regcred.verifier", "regcred.events", "x"),
    "listen to all events": lambda channel: channel.queue_bind("amq.gen", "regcred.events", "#"),
}
MAY = {
    "regcred-relay": {"publish events", "read the last message"},
    "regcred-verifier": {"read verifier"},
    "regcred-projector": {"read projector"},
}


@pytest.mark.parametrize("user", MAY)
def test_each_user_has_its_own_rights_only(rabbitmq: RabbitMQ, user: str) -> None:
    allowed = set()
    with rabbitmq.connect(user) as connection:
        for name, attempt in ATTEMPTS.items():
            channel = connection.channel()
            try:
                attempt(channel)
            except ChannelClosedByBroker as refused:
                assert refused.reply_code == 403, name  # noqa: PT017 which of many is refused is what is tried
            else:
                allowed.add(name)
                channel.close()
    rabbitmq.purge("regcred.projector")
    assert allowed == MAY[user]


def test_other_logins_are_refused(rabbitmq: RabbitMQ) -> None:
    for url in (
        f"amqp://guest:guest@127.0.0.1:{rabbitmq.port}/regcred",
        f"amqp://regcred-relay:wrong@127.0.0.1:{rabbitmq.port}/regcred",
        f"amqp://regcred-relay:{PASSWORDS['regcred-relay']}@127.0.0.1:{rabbitmq.port}/{OTHER}",
    ):
        with pytest.raises(AMQPError):
            pika.BlockingConnection(pika.URLParameters(url))


def test_a_rejected_message_is_dead_lettered(rabbitmq: RabbitMQ, declared_url: str) -> None:
    with pika.BlockingConnection(pika.URLParameters(declared_url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_purge("regcred.verifier")
        channel.queue_purge("regcred.verifier.dead")
        properties = pika.BasicProperties(type="credential.added", delivery_mode=2)
        channel.basic_publish("regcred.events", "credential.added", b"body", properties, mandatory=True)
        came = next(channel.consume("regcred.verifier", inactivity_timeout=PATIENCE))
        channel.basic_reject(came[0].delivery_tag, requeue=False)
        channel.cancel()
        dead = next(channel.consume("regcred.verifier.dead", inactivity_timeout=PATIENCE))
        assert dead[2] == b"body"
        channel.basic_ack(dead[0].delivery_tag)
        channel.cancel()
