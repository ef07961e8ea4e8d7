"""Exchanges, queues, bindings and users of the broker, as data. Pure.

    relay ─▶ regcred.events (topic) ─┬▶ regcred.verifier  ──rejected──▶ regcred.verifier.dead
                                     ├▶ regcred.projector ──rejected──▶ regcred.projector.dead
                                     └▶ regcred.published

`regcred.published` keeps the last message only. The relay compares it with the log (`broker.published`).

A queue only wakes its consumer. Retries are in the database (ADR 10), so there are no queues for them. A
queue rejects messages without a position; operators inspect them with `regcred deadletters`.

The topology is declared at deploy time (`regcred migrate`, or the definitions file). Services have no right
to declare it. The settings that prevent a loss of messages (dead-letter exchange and strategy, overflow,
delivery limit) are queue arguments, so they also hold on a broker without the policies. Sizes are policies,
because policies can change at any time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

VHOST = "regcred"
EXCHANGE = "regcred.events"
LAST_PUBLISHED = "regcred.published"
# Far above the number that restarts of a consumer cause: a closed channel counts as a delivery of each of its
# messages.
DELIVERY_LIMIT = 50
MEBIBYTE = 1024 * 1024
# An inspection of a message counts as a delivery, and RabbitMQ 4 drops a message after 20 deliveries.
INSPECTED_DELIVERY_LIMIT = 1_000_000
_INSPECTED: dict[str, str | int] = {"x-delivery-limit": INSPECTED_DELIVERY_LIMIT}
Arguments = Mapping[str, str | int]
Consumers = Mapping[str, tuple[str, ...]]  # name → routing keys of the events that the consumer needs


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
    """The rights of a user, as regular expressions over names in the syntax of RabbitMQ."""

    configure: str
    write: str
    read: str
    tags: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Topology:
    """All objects that the broker must have. `users` maps names to rights."""

    consumers: Consumers
    exchanges: tuple[BrokerExchange, ...]
    queues: tuple[Queue, ...]
    bindings: tuple[Binding, ...]
    users: Mapping[str, Rights]

    @property
    def dead_letter_queues(self) -> tuple[str, ...]:
        """The queues of messages that the queues of the consumers rejected."""
        return tuple(dead_letters_of(queue_name(consumer)) for consumer in self.consumers)


def queue_name(consumer: str) -> str:
    """The name of the queue of a consumer."""
    return f"regcred.{consumer}"


def dead_letters_of(queue: str) -> str:
    """The name of the exchange and of the queue for messages that a queue rejected."""
    return f"{queue}.dead"


def topology(consumers: Consumers) -> Topology:
    """The topology for these consumers. Each has its own queue and a queue of rejected messages."""
    exchanges = [BrokerExchange(EXCHANGE, "topic")]
    queues: list[Queue] = []
    bindings: list[Binding] = []
    for consumer, keys in consumers.items():
        own = queue_name(consumer)
        dead = dead_letters_of(own)
        exchanges.append(BrokerExchange(dead, "fanout"))
        limits = {"x-delivery-limit": DELIVERY_LIMIT}
        queues.append(Queue(own, _quorum(dead_letters=dead) | limits, 1024 * MEBIBYTE))
        queues.append(Queue(dead, _quorum() | _INSPECTED, 1024 * MEBIBYTE))
        bindings += [Binding(EXCHANGE, own, key) for key in keys]
        bindings.append(Binding(dead, dead))
    last: dict[str, str | int] = {"x-queue-type": "quorum", "x-max-length": 1}  # it drops the former message
    queues.append(Queue(LAST_PUBLISHED, last | _INSPECTED, 1024 * MEBIBYTE))
    bindings.append(Binding(EXCHANGE, LAST_PUBLISHED, "#"))
    return Topology(consumers, tuple(exchanges), tuple(queues), tuple(bindings), _users(consumers))


def _users(consumers: Consumers) -> dict[str, Rights]:
    return {
        "regcred-relay": Rights("^$", r"^regcred\.events$", r"^regcred\.published$"),
        **{f"regcred-{consumer}": Rights("^$", "^$", rf"^regcred\.{consumer}$") for consumer in consumers},
        "regcred-deploy": Rights(r"^regcred\.", r"^regcred\.", r"^regcred\."),
    }


def _quorum(*, dead_letters: str | None = None) -> dict[str, str | int]:
    arguments: dict[str, str | int] = {"x-queue-type": "quorum", "x-overflow": "reject-publish"}
    if dead_letters:
        # at-least-once needs reject-publish, and is off without an error otherwise (RabbitMQ, "Quorum
        # Queues")
        arguments |= {"x-dead-letter-exchange": dead_letters, "x-dead-letter-strategy": "at-least-once"}
    return arguments
