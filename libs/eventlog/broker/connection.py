"""How every connection of ours is made: heartbeats, time limits, and no password in any message."""

import pika

from eventlog.broker.errors import BrokerUnavailable

HEARTBEAT_SECONDS = 15
BLOCKED_SECONDS = 60  # how long a broker under memory or disk alarm is waited for before reconnecting
CONNECT_SECONDS = 5.0
LONGEST_BACKOFF_SECONDS = 30.0  # between attempts to connect again


def parameters(broker_url: str) -> pika.URLParameters:
    """Pika's parameters of an `amqp://` or `amqps://` URL.

    Raises:
        BrokerUnavailable: it cannot be read; the parser's own words would hold parts of it.
    """
    try:
        made = pika.URLParameters(broker_url)
    except (ValueError, TypeError):
        raise BrokerUnavailable("its URL cannot be read") from None
    made.heartbeat = HEARTBEAT_SECONDS
    made.blocked_connection_timeout = BLOCKED_SECONDS
    made.socket_timeout = CONNECT_SECONDS
    made.stack_timeout = 2 * CONNECT_SECONDS
    made.tcp_options = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
    return made
