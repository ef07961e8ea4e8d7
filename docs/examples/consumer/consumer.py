"""A consumer of regcred's events: records the credentials whose copies in clusters are outdated.

A deploy platform distributes pull secrets to its clusters. When a credential is rotated, restricted or
removed, the copies must be renewed or withdrawn. This program stores the credentials with outdated copies in
a table of SQLite. README.md in this folder describes how to start it and which rights its RabbitMQ user
needs, `docs/events.md` the events.

    BROKER_URL=amqps://user:password@host:5671/regcred  QUEUE=platform.pull-secrets  DATABASE=due.sqlite
"""
# ruff: noqa: INP001 a script, to be copied from here

import json
import logging
import os
import signal
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from secrets import SystemRandom
from threading import Event as Flag
from threading import Thread
from time import monotonic
from typing import Any

import pika
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPError

EXCHANGE = "regcred.events"
ROUTING_KEYS = ("credential.secret_rotated", "credential.restrictions_changed", "credential.removed")
READABLE = {f"urn:regcred:events:{name}:1" for name in ROUTING_KEYS}  # add a version before it is published
PREFETCH = 50
LAST_POSITION = 2**63 - 1  # the largest integer of regcred and of SQLite
FIRST_BACKOFF_SECONDS = 0.2
LONGEST_BACKOFF_SECONDS = 30.0
HEALTHY_SECONDS = 60.0  # after a connection of this duration the back-off starts again

log = logging.getLogger("consumer")


class Unreadable(Exception):
    """A message is invalid or has an unknown schema. A later attempt would fail too."""


@dataclass(frozen=True, slots=True)
class Event:
    """The part of an event that this consumer needs. `position` is the position in the log of regcred."""

    position: int
    id: str
    type: str
    account: str
    credential_id: str

    @classmethod
    def read(cls, headers: Mapping[str, Any] | None, body: bytes) -> "Event":
        """Read a message. Unknown fields are ignored, because events may get more fields.

        Raises:
            Unreadable: a header or field is missing or invalid, or the program does not know the schema.
        """
        try:
            attributes = headers or {}
            if attributes["cloudEvents:dataschema"] not in READABLE:
                raise Unreadable(f"unknown schema {attributes['cloudEvents:dataschema']}")
            position = int(attributes["cloudEvents:sequence"])
            if not 0 < position <= LAST_POSITION:
                raise Unreadable("invalid position")
            return cls(
                position=position,
                id=str(attributes["cloudEvents:id"]),
                type=str(attributes["cloudEvents:type"]),
                account=str(attributes["cloudEvents:accountid"]),
                credential_id=str(json.loads(body)["credential_id"]),
            )
        except (LookupError, TypeError, ValueError) as error:
            raise Unreadable(f"{type(error).__name__} in a message of {len(body)} bytes") from None


class DueRenewals:
    """The due renewals and the ids of handled events: two tables that change in one transaction."""

    def __init__(self, path: str) -> None:
        self._database = sqlite3.connect(path)
        self._database.executescript(
            """
            CREATE TABLE IF NOT EXISTS done (event_id TEXT PRIMARY KEY) WITHOUT ROWID;
            CREATE TABLE IF NOT EXISTS due (
                credential_id TEXT PRIMARY KEY, account TEXT NOT NULL,
                why TEXT NOT NULL, position INTEGER NOT NULL
            );
            """
        )

    def record(self, event: Event) -> bool:
        """Record an event. Return False if it was recorded before.

        Only the last event of a credential counts, in whatever order its events arrive.
        """
        with self._database:
            new = self._database.execute(
                "INSERT INTO done VALUES (?) ON CONFLICT DO NOTHING", (event.id,)
            ).rowcount
            if new:
                self._database.execute(
                    "INSERT INTO due VALUES (?, ?, ?, ?) ON CONFLICT (credential_id) DO UPDATE"
                    " SET why = excluded.why, position = excluded.position"
                    " WHERE excluded.position > due.position",
                    (event.credential_id, event.account, event.type, event.position),
                )
        return bool(new)


def declare(channel: Any, queue: str) -> None:
    """Declare the queue, its dead letter queue and its bindings. It is safe to repeat.

    The length of the queue is limited. When it is full, the oldest messages become dead letters. A queue that
    refuses messages instead (`reject-publish`) would lose them, unless an operator of regcred redrives them.
    """
    bounded = {"x-queue-type": "quorum", "x-max-length-bytes": 256 * 1024 * 1024}
    channel.exchange_declare(f"{queue}.dead", "fanout", durable=True)
    channel.queue_declare(f"{queue}.dead", durable=True, arguments=bounded)
    channel.queue_bind(f"{queue}.dead", f"{queue}.dead")
    dead_letters = {"x-dead-letter-exchange": f"{queue}.dead", "x-delivery-limit": 50}
    channel.queue_declare(queue, durable=True, arguments=bounded | dead_letters)
    for key in ROUTING_KEYS:
        channel.queue_bind(queue, EXCHANGE, key)


def consume(parameters: pika.URLParameters, queue: str, due: DueRenewals, stop: Flag) -> None:
    """Consume over one connection until `stop` is set or an error occurs.

    Unacknowledged messages are delivered again. Do work of more than a few seconds in another thread, because
    this thread sends the heartbeats of the connection.
    """

    def on_message(channel: Any, method: Any, properties: Any, body: bytes) -> None:
        if stop.is_set():
            return
        try:
            event = Event.read(properties.headers, body)
        except Unreadable as error:
            log.warning("rejected a message: %s", error)
            channel.basic_reject(method.delivery_tag, requeue=False)
            return
        log.info(
            "position %d, %s: %s", event.position, event.type, "recorded" if due.record(event) else "repeated"
        )
        channel.basic_ack(method.delivery_tag)  # only after the commit

    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        declare(channel, queue)
        channel.basic_qos(prefetch_count=PREFETCH)
        cancelled = Flag()
        # The queue was deleted or moved to another node.
        channel.add_on_cancel_callback(lambda _frame: cancelled.set())
        channel.basic_consume(queue, on_message)
        log.info("consuming from %s", queue)
        while not stop.is_set() and not cancelled.is_set():
            connection.process_data_events(time_limit=0.5)


def stop_on_signals() -> Flag:
    """A flag that is set after SIGTERM or SIGINT. Call it before any other thread starts.

    All threads block the signals, and one waits for them. A handler could interrupt code that holds the lock
    of the flag, and Python removes handlers before it has ended.
    """
    stop = Flag()
    signals = (signal.SIGTERM, signal.SIGINT)
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)

    def set_flag() -> None:
        signal.sigwait(signals)
        stop.set()

    Thread(target=set_flag, daemon=True).start()
    return stop


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("pika").setLevel(logging.CRITICAL)  # this program logs errors of the connection itself
    stop = stop_on_signals()
    parameters = pika.URLParameters(os.environ["BROKER_URL"])
    parameters.heartbeat = 15
    parameters.blocked_connection_timeout = 60
    queue = os.environ.get("QUEUE", "platform.pull-secrets")
    due = DueRenewals(os.environ.get("DATABASE", "due.sqlite"))
    wait = FIRST_BACKOFF_SECONDS
    while not stop.is_set():
        started = monotonic()
        try:
            consume(parameters, queue, due, stop)
        except (AMQPError, AMQPConnectorException, OSError, sqlite3.OperationalError) as error:
            log.warning("interrupted by %s", type(error).__name__)
        if monotonic() - started > HEALTHY_SECONDS:
            wait = FIRST_BACKOFF_SECONDS
        stop.wait(wait * SystemRandom().uniform(0.5, 1.5))
        wait = min(2 * wait, LONGEST_BACKOFF_SECONDS)
    log.info("stopped")


if __name__ == "__main__":
    main()
