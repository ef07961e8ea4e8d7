"""Inspects a broker without changing it: missing objects, missing rights, alarms.

AMQP has no query for rights. The inspection publishes a message in a transaction that it rolls back, and
reads from empty queues.
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

from eventlog.broker.connection import connect, parameters
from eventlog.broker.errors import BrokerUnavailable
from eventlog.topology import EXCHANGE, Topology, queue_name

_BLOCKED_SECONDS = 2.0  # a broker with an alarm stops reading from a connection that publishes
_REFUSED = 403
_ROUTE = "operations.doctor"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerState:
    """The result of an inspection.

    `missing` are exchanges and queues that are not declared. `depths` has the number of messages of each
    other queue. `refused` are actions that the user needs and has no right to. `alarmed` means that the
    broker accepts no messages because memory or disk are low.
    """

    user: str
    missing: tuple[str, ...]
    depths: Mapping[str, int]
    refused: tuple[str, ...]
    alarmed: bool


def inspect_broker(broker_url: str, wanted: Topology) -> BrokerState:
    """Inspect the broker as the user of the URL.

    Raises:
        BrokerUnavailable: the broker cannot be reached, or refuses the user.
    """
    connect_as = parameters(broker_url)
    connect_as.blocked_connection_timeout = _BLOCKED_SECONDS
    try:
        with connect(connect_as) as connection:
            missing, depths = _declared(connection, wanted)
            user = connect_as.credentials.username
            refused = _unreadable(connection, wanted, user, depths)
            if EXCHANGE in missing or not _publishes(wanted, user):
                return BrokerState(user=user, missing=missing, depths=depths, refused=refused, alarmed=False)
            may_publish, alarmed = _published(connection)
            if not may_publish:
                refused = (*refused, f"publish to {EXCHANGE}")
            return BrokerState(user=user, missing=missing, depths=depths, refused=refused, alarmed=alarmed)
    except (ProbableAuthenticationError, ProbableAccessDeniedError):
        raise BrokerUnavailable("it refuses this user, password or virtual host") from None
    except AMQPConnectionError:
        raise BrokerUnavailable("there is no broker at this address") from None
    except (AMQPError, OSError) as error:
        raise BrokerUnavailable(f"the inspection failed with {type(error).__name__}") from None


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
    """Whether the user needs the right to publish. Users of consumers do not; others may be the relay's."""
    return user not in {f"regcred-{consumer}" for consumer in wanted.consumers}


def _unreadable(
    connection: BlockingConnection, wanted: Topology, user: str, depths: Mapping[str, int]
) -> tuple[str, ...]:
    """Queues of consumers that this user needs to read and has no right to. Only empty queues are read."""
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
            if method is not None:  # a message arrived in the meantime: requeue it
                channel.basic_nack(method.delivery_tag, requeue=True)
            channel.close()
        except ChannelClosedByBroker as closed:
            if closed.reply_code != _REFUSED:
                raise
            refused.append(f"read {queue}")
    return tuple(refused)


def _published(connection: BlockingConnection) -> tuple[bool, bool]:
    """Whether this user may publish, and whether the broker has an alarm. The transaction is rolled back."""
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
