"""Exchanges, queues, bindings and users of the broker, as data (`eventlog.broker.declaration` declares them).

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

VHOST = "regcred"
EXCHANGE = "regcred.events"
DELIVERY_LIMIT = (
    50  # well above what restarts of a consumer can use up: a closed channel counts for all it held
)
MEBIBYTE = 1024 * 1024

# Looking at a dead letter counts as a delivery of it, and RabbitMQ 4 drops a message after 20.
DEAD_DELIVERY_LIMIT = 1_000_000
Arguments = Mapping[str, str | int]
Consumers = Mapping[
    str, tuple[str, ...]
]  # a consumer's name, and the routing keys of the events that it needs


@dataclass(frozen=True, slots=True)
class BrokerExchange:
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
class Rights:
    """Regular expressions over names, as RabbitMQ takes them."""

    configure: str
    write: str
    read: str
    tags: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Topology:
    """Everything that has to be there. `users` are names with their rights."""

    consumers: Consumers
    exchanges: tuple[BrokerExchange, ...]
    queues: tuple[Queue, ...]
    bindings: tuple[Binding, ...]
    users: Mapping[str, Rights]

    @property
    def dead_letter_queues(self) -> tuple[str, ...]:
        """The queues that hold what the consumers' queues rejected."""
        return tuple(dead_letters_of(queue_name(consumer)) for consumer in self.consumers)


def queue_name(consumer: str) -> str:
    """The queue that a consumer of ours owns."""
    return f"regcred.{consumer}"


def dead_letters_of(queue: str) -> str:
    """Exchange and queue for what a queue of ours rejected."""
    return f"{queue}.dead"


def topology(consumers: Consumers) -> Topology:
    """The topology for these consumers: each has a queue of its own, and a queue of dead letters."""
    exchanges = [BrokerExchange(EXCHANGE, "topic")]
    queues: list[Queue] = []
    bindings: list[Binding] = []
    for consumer, keys in consumers.items():
        own = queue_name(consumer)
        dead = dead_letters_of(own)
        exchanges.append(BrokerExchange(dead, "fanout"))
        limits = {"x-delivery-limit": DELIVERY_LIMIT}
        queues.append(Queue(own, _quorum(dead_letters=dead) | limits, 1024 * MEBIBYTE))
        kept = {"x-delivery-limit": DEAD_DELIVERY_LIMIT}
        queues.append(Queue(dead, _quorum() | kept, 1024 * MEBIBYTE))
        bindings += [Binding(EXCHANGE, own, key) for key in keys]
        bindings.append(Binding(dead, dead))
    return Topology(consumers, tuple(exchanges), tuple(queues), tuple(bindings), _users(consumers))


def _users(consumers: Consumers) -> dict[str, Rights]:
    return {
        "regcred-relay": Rights("^$", r"^regcred\.events$", "^$"),
        **{f"regcred-{consumer}": Rights("^$", "^$", rf"^regcred\.{consumer}$") for consumer in consumers},
        "regcred-deploy": Rights(r"^regcred\.", r"^regcred\.", r"^regcred\."),
    }


def _quorum(*, dead_letters: str | None = None) -> dict[str, str | int]:
    arguments: dict[str, str | int] = {"x-queue-type": "quorum", "x-overflow": "reject-publish"}
    if dead_letters:
        # at-least-once needs reject-publish: without it, it is off in silence (RabbitMQ, quorum queues)
        arguments |= {"x-dead-letter-exchange": dead_letters, "x-dead-letter-strategy": "at-least-once"}
    return arguments
