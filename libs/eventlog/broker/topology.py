"""Exchanges, queues, bindings and rights as data, and how they are brought to a broker.

    relay ─▶ regcred.events (topic) ─┬▶ regcred.verifier  ──rejected──▶ regcred.verifier.dead
                                     └▶ regcred.projector ──rejected──▶ regcred.projector.dead

A queue only wakes its consumer; what failed waits in the database (ADR 10), so that there are no queues for
retries. Rejected are messages that announce nothing; people look at them (`regcred deadletters`).

Declared at deploy time (`regcred migrate`, or the definitions file); services hold no right to. What keeps
messages from being lost (dead-letter exchange and strategy, overflow, delivery limit) is declared as
arguments, so that a broker without our policies keeps it too; sizes are policies, which can change at any
time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pika
from pika.exceptions import AMQPError

from eventlog.broker.connection import parameters
from eventlog.broker.errors import BrokerUnavailable

VHOST = "regcred"
EVENTS = "regcred.events"
DELIVERY_LIMIT = (
    50  # well above what restarts of a consumer can use up: a closed channel counts for all it held
)
MEBIBYTE = 1024 * 1024

# Looking at a dead letter counts as a delivery of it, and RabbitMQ 4 drops a message after 20.
DEAD_DELIVERY_LIMIT = 1_000_000
CONSUMERS: Mapping[str, tuple[str, ...]] = {
    "verifier": (
        "credential.added",
        "credential.details_changed",
        "credential.removed",
        "credential.secret_rotated",
        "verification.requested",
    ),
    "projector": ("#",),
}

Arguments = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Exchange:
    name: str
    type: Literal["topic", "direct", "fanout"]


@dataclass(frozen=True, slots=True)
class Queue:
    name: str
    arguments: Arguments
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Binding:
    exchange: str
    queue: str
    routing_key: str = ""


@dataclass(frozen=True, slots=True)
class Topology:
    exchanges: tuple[Exchange, ...]
    queues: tuple[Queue, ...]
    bindings: tuple[Binding, ...]


@dataclass(frozen=True, slots=True)
class Rights:
    """Regular expressions over names, as RabbitMQ takes them."""

    configure: str
    write: str
    read: str
    tags: tuple[str, ...] = field(default=())


USERS: Mapping[str, Rights] = {
    "regcred-relay": Rights("^$", r"^regcred\.events$", "^$"),
    **{f"regcred-{consumer}": Rights("^$", "^$", rf"^regcred\.{consumer}$") for consumer in CONSUMERS},
    "regcred-deploy": Rights(r"^regcred\.", r"^regcred\.", r"^regcred\."),
}


def queue_name(consumer: str) -> str:
    """The queue that a consumer of ours owns."""
    return f"regcred.{consumer}"


def dead_letters_of(queue: str) -> str:
    """Exchange and queue for what a queue of ours rejected."""
    return f"{queue}.dead"


def topology() -> Topology:
    """Everything that has to be there."""
    exchanges = [Exchange(EVENTS, "topic")]
    queues: list[Queue] = []
    bindings: list[Binding] = []
    for consumer, keys in CONSUMERS.items():
        own = queue_name(consumer)
        dead = dead_letters_of(own)
        exchanges.append(Exchange(dead, "fanout"))
        limits = {"x-delivery-limit": DELIVERY_LIMIT}
        queues.append(Queue(own, _quorum(dead_letters=dead) | limits, 1024 * MEBIBYTE))
        kept = {"x-delivery-limit": DEAD_DELIVERY_LIMIT}
        queues.append(Queue(dead, _quorum() | kept, 1024 * MEBIBYTE))
        bindings += [Binding(EVENTS, own, key) for key in keys]
        bindings.append(Binding(dead, dead))
    return Topology(tuple(exchanges), tuple(queues), tuple(bindings))


def declare(broker_url: str) -> None:
    """Declare everything; safe to repeat and to run twice at once. The URL's user is `regcred-deploy`.

    Raises:
        BrokerUnavailable: it cannot be reached, or it has something of that name which is different.
    """
    wanted = topology()
    try:
        with pika.BlockingConnection(parameters(broker_url)) as connection:
            channel = connection.channel()
            for exchange in wanted.exchanges:
                channel.exchange_declare(exchange.name, exchange.type, durable=True)
            for queue in wanted.queues:
                channel.queue_declare(queue.name, durable=True, arguments=dict(queue.arguments))
            for binding in wanted.bindings:
                channel.queue_bind(binding.queue, binding.exchange, binding.routing_key)
    except (AMQPError, OSError) as error:
        raise BrokerUnavailable(f"declaring failed with {type(error).__name__}") from error


def _quorum(*, dead_letters: str | None = None) -> dict[str, str | int]:
    arguments: dict[str, str | int] = {"x-queue-type": "quorum", "x-overflow": "reject-publish"}
    if dead_letters:
        # at-least-once needs reject-publish: without it, it is off in silence (RabbitMQ, quorum queues)
        arguments |= {"x-dead-letter-exchange": dead_letters, "x-dead-letter-strategy": "at-least-once"}
    return arguments
