"""The parameters of every connection: heartbeats, time limits, and errors without the password."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pika
from pika import exceptions as amqp
from pika.adapters.utils.connection_workflow import AMQPConnectorException, AMQPConnectorStackTimeout

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


def connect(connect_as: pika.URLParameters) -> pika.BlockingConnection:
    """Open a connection.

    Raises:
        AMQPError: the broker refused it, or did not respond. If the broker accepts the connection and is then
            silent, pika raises an error of another hierarchy, which is translated here.
        OSError: the broker cannot be reached.
    """
    try:
        return pika.BlockingConnection(connect_as)
    except AMQPConnectorException as error:
        raise amqp.AMQPConnectionError(error) from error


_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (amqp.ProbableAuthenticationError, "it refused user or password"),
    (amqp.ProbableAccessDeniedError, "the user may not use the virtual host, or there is none of this name"),
    (socket.gaierror, "the name of its host cannot be resolved"),
    (ssl.SSLCertVerificationError, "TLS failed: its certificate is not accepted"),
    (ssl.SSLError, "TLS failed"),
    (ConnectionRefusedError, "no server listens at its address"),
    (ConnectionResetError, "it closed the connection"),
    (TimeoutError, "it did not respond in time"),
    (AMQPConnectorStackTimeout, "it did not respond in time"),
    (amqp.AMQPHeartbeatTimeout, "it stopped responding"),
    (amqp.ConnectionBlockedTimeout, "it has blocked the connection too long (a memory or disk alarm)"),
)


def failure_reason(error: BaseException) -> str:
    """The reason of an error of pika or of a socket, without a part of the URL."""
    chain = list(_chain(error))
    for known, reason in _REASONS:
        if any(isinstance(one, known) for one in chain):
            return reason
    for one in chain:
        if isinstance(one, (amqp.ConnectionClosed, amqp.ChannelClosed)):
            return f"{one.reply_code} {one.reply_text}"
    return type(error).__name__


@contextmanager
def channel_of(broker_url: str) -> Iterator[Any]:
    """A channel. Unacknowledged messages return to their queues when it is closed.

    Raises:
        BrokerUnavailable: the broker cannot be reached, or refused a request.
    """
    try:
        with connect(parameters(broker_url)) as connection:
            yield connection.channel()
    except (amqp.AMQPError, OSError) as error:
        raise BrokerUnavailable(failure_reason(error)) from error


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, the errors in its arguments (pika nests them there) and its causes."""
    yield error
    nested = [
        *error.args,
        getattr(error, "exceptions", ()),
        getattr(error, "exception", None),
        error.__cause__,
    ]
    for one in nested:
        for inner in one if isinstance(one, (list, tuple)) else [one]:
            if isinstance(inner, BaseException):
                yield from _chain(inner)
