"""The parameters of every connection: heartbeats, time limits, and errors without the password."""

import pika

from eventlog.broker.errors import BrokerUnavailable

HEARTBEAT_SECONDS = 15
BLOCKED_SECONDS = 60  # time until a connection is closed that a memory or disk alarm blocks
CONNECT_SECONDS = 5.0
LONGEST_BACKOFF_SECONDS = 30.0  # between two attempts to connect


def parameters(broker_url: str) -> pika.URLParameters:
    """Pika's parameters for an `amqp://` or `amqps://` URL.

    Raises:
        BrokerUnavailable: the URL is invalid. The message of the parser is dropped because it can contain the
            password.
    """
    try:
        parsed = pika.URLParameters(broker_url)
    except (ValueError, TypeError):
        raise BrokerUnavailable("its URL cannot be read") from None
    parsed.heartbeat = HEARTBEAT_SECONDS
    parsed.blocked_connection_timeout = BLOCKED_SECONDS
    parsed.socket_timeout = CONNECT_SECONDS
    parsed.stack_timeout = 2 * CONNECT_SECONDS
    parsed.tcp_options = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
    return parsed
