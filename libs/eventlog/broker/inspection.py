"""A look at a broker that changes nothing there: is all declared, may this user, does it take messages.

What a user may do is known only by doing it: a message is published in a transaction that is taken back,
and a queue is read that is empty.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pika
from pika.adapters.blocking_connection import BlockingConnection
from pika.exceptions import (
    AMQPConnectionError,
    AMQPError,
    ChannelClosedByBroker,
    ConnectionBlockedTimeout,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
)

from eventlog.broker.connection import parameters
from eventlog.broker.errors import BrokerUnavailable
from eventlog.topology import EXCHANGE, Topology, queue_name

_BLOCKED_SECONDS = 2.0  # a broker under an alarm reads no further once something is published
_REFUSED = 403
_ROUTE = "operations.doctor"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerState:
    """`missing`: exchanges and queues that are not declared; `depths`: messages of each queue that is.

    `refused`: what this user would need and may not. `alarmed`: it takes no messages, for want of memory or
    disk.
    """

    user: str
    missing: tuple[str, ...]
    depths: Mapping[str, int]
    refused: tuple[str, ...]
    alarmed: bool


def inspect_broker(broker_url: str, wanted: Topology) -> BrokerState:
    """Look at it.

    Raises:
        BrokerUnavailable: it cannot be reached, or does not let this user in.
    """
    made = parameters(broker_url)
    made.blocked_connection_timeout = _BLOCKED_SECONDS
    try:
        with BlockingConnection(made) as connection:
            missing, depths = _declared(connection, wanted)
            user = made.credentials.username
            refused = _unreadable(connection, wanted, user, depths)
            if EXCHANGE in missing or not _publishes(wanted, user):
                return BrokerState(user=user, missing=missing, depths=depths, refused=refused, alarmed=False)
            may_publish, alarmed = _published(connection)
            if not may_publish:
                refused = (*refused, f"publish to {EXCHANGE}")
            return BrokerState(user=user, missing=missing, depths=depths, refused=refused, alarmed=alarmed)
    except (ProbableAuthenticationError, ProbableAccessDeniedError):
        raise BrokerUnavailable("it does not take this user, password or virtual host") from None
    except AMQPConnectionError:
        raise BrokerUnavailable("nobody answers as a broker does") from None
    except (AMQPError, OSError) as error:
        raise BrokerUnavailable(f"the look broke off with {type(error).__name__}") from None


def _declared(connection: BlockingConnection, wanted: Topology) -> tuple[tuple[str, ...], dict[str, int]]:
    missing: list[str] = []
    depths: dict[str, int] = {}
    for exchange in wanted.exchanges:
        channel = connection.channel()
        try:
            channel.exchange_declare(exchange.name, passive=True)
            channel.close()
        except ChannelClosedByBroker:
            missing.append(exchange.name)
    for queue in wanted.queues:
        channel = connection.channel()
        try:
            depths[queue.name] = int(channel.queue_declare(queue.name, passive=True).method.message_count)
            channel.close()
        except ChannelClosedByBroker:
            missing.append(queue.name)
    return tuple(missing), depths


def _publishes(wanted: Topology, user: str) -> bool:
    """A user of one consumer needs no right to; any other may be the relay's, or that of all services."""
    return user not in {f"regcred-{consumer}" for consumer in wanted.consumers}


def _unreadable(
    connection: BlockingConnection, wanted: Topology, user: str, depths: Mapping[str, int]
) -> tuple[str, ...]:
    """Consumers' queues that this user should be able to read and may not. Only empty ones are tried."""
    own = {f"regcred-{consumer}": (consumer,) for consumer in wanted.consumers}
    consumers = own.get(
        user, () if user in wanted.users and user != "regcred-deploy" else tuple(wanted.consumers)
    )
    refused = []
    for queue in map(queue_name, consumers):
        if depths.get(queue) != 0:
            continue
        channel = connection.channel()
        try:
            method, _, _ = channel.basic_get(queue)
            if method is not None:  # one came in between: it goes back
                channel.basic_nack(method.delivery_tag, requeue=True)
            channel.close()
        except ChannelClosedByBroker as closed:
            if closed.reply_code != _REFUSED:
                raise
            refused.append(f"read {queue}")
    return tuple(refused)


def _published(connection: BlockingConnection) -> tuple[bool, bool]:
    """Whether this user may publish, and whether an alarm is on. The transaction is taken back."""
    channel = connection.channel()
    try:
        channel.tx_select()
        channel.basic_publish(EXCHANGE, _ROUTE, b"", pika.BasicProperties())
        channel.tx_rollback()
        channel.close()
    except ConnectionBlockedTimeout:
        return True, True
    except ChannelClosedByBroker as closed:
        if closed.reply_code != _REFUSED:
            raise
        return False, False
    return True, False
