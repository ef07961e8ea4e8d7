"""Declares a topology at a broker."""

import pika
from pika.exceptions import AMQPError

from eventlog.broker.connection import parameters
from eventlog.broker.errors import BrokerUnavailable
from eventlog.topology import Topology


def declare_topology(broker_url: str, wanted: Topology) -> None:
    """Declare everything; safe to repeat and to run twice at once. The URL's user is `regcred-deploy`.

    Raises:
        BrokerUnavailable: it cannot be reached, or it has something of that name which is different.
    """
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
