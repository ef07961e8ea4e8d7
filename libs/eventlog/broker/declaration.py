"""Declares a topology at the broker."""

from pika.exceptions import AMQPError

from eventlog.broker.connection import connect, failure_reason, parameters
from eventlog.broker.errors import BrokerUnavailable
from eventlog.topology import Topology


def declare_topology(broker_url: str, wanted: Topology) -> None:
    """Declare all objects. Safe to repeat and to run concurrently. The user of the URL is `regcred-deploy`.

    Raises:
        BrokerUnavailable: the broker cannot be reached, or has an object of the same name with other
            arguments.
    """
    try:
        with connect(parameters(broker_url)) as connection:
            channel = connection.channel()
            for exchange in wanted.exchanges:
                channel.exchange_declare(exchange.name, exchange.type, durable=True)
            for queue in wanted.queues:
                channel.queue_declare(queue.name, durable=True, arguments=dict(queue.arguments))
            for binding in wanted.bindings:
                channel.queue_bind(binding.queue, binding.exchange, binding.routing_key)
    except (AMQPError, OSError) as error:
        raise BrokerUnavailable(failure_reason(error)) from error
