"""A consumer of regcred's events: notes which credentials' copies, out there in clusters, are outdated.

A deploy platform hands pull secrets to its clusters. When a secret is rotated, restricted or removed, the
copies have to be renewed or taken back; this program keeps the table of what is due, in SQLite. README.md
beside it says how it is started, and which rights its RabbitMQ user needs; `docs/events.md` what events are.

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
from time import monotonic
from typing import Any

import pika
from pika.exceptions import AMQPError

EXCHANGE = "regcred.events"
ROUTING_KEYS = ("credential.secret_rotated", "credential.restrictions_changed", "credential.removed")
READABLE = {f"urn:regcred:events:{name}:1" for name in ROUTING_KEYS}  # add a version before it is published
PREFETCH = 50
LAST_POSITION = 2**63 - 1  # of regcred, and what SQLite can keep
FIRST_BACKOFF_SECONDS = 0.2
LONGEST_BACKOFF_SECONDS = 30.0
HEALTHY_SECONDS = 60.0  # a connection that lasted so long begins the back-off anew

log = logging.getLogger("consumer")


class Unreadable(Exception):
    """A message that no later attempt would read better."""


@dataclass(frozen=True, slots=True)
class Event:
    """What this consumer needs to know; `position` is the event's place in regcred's log."""

    position: int
    id: str
    type: str
    account: str
    credential_id: str

    @classmethod
    def read(cls, headers: Mapping[str, Any] | None, body: bytes) -> "Event":
        """Fields that are not known here are passed over: an event may get more of them.

        Raises:
            Unreadable: a header or field is missing, or the schema is one that this program was not made for.
        """
        try:
            attributes = headers or {}
            if attributes["cloudEvents:dataschema"] not in READABLE:
                raise Unreadable(f"schema {attributes['cloudEvents:dataschema']} is not known here")
            position = int(attributes["cloudEvents:sequence"])
            if not 0 < position <= LAST_POSITION:
                raise Unreadable("its position is none")
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
    """What is due, and which events are done: two tables of one database, changed in one transaction."""

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

    def take(self, event: Event) -> bool:
        """Note it; False for one that was noted before. Of a credential's events the last one counts, in
        whatever order they come.
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
    """The queue, where its rejected messages go, and what it wants to hear of. Safe to repeat.

    Its length is bounded and the oldest message gives way, to the dead letters: a queue that refuses what is
    published (`reject-publish`) would hold up regcred's relay, and with it all other consumers.
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
    """One connection, until `stop` is set or something fails; what is not acknowledged then comes again.

    Work that takes longer than seconds belongs into a thread of its own: this one keeps the connection alive.
    """

    def on_message(channel: Any, method: Any, properties: Any, body: bytes) -> None:
        if stop.is_set():
            return
        try:
            event = Event.read(properties.headers, body)
        except Unreadable as error:
            log.warning("to the dead letters: %s", error)
            channel.basic_reject(method.delivery_tag, requeue=False)
            return
        log.info(
            "position %d, %s: %s", event.position, event.type, "noted" if due.take(event) else "repeated"
        )
        channel.basic_ack(method.delivery_tag)  # only now that it is committed

    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        declare(channel, queue)
        channel.basic_qos(prefetch_count=PREFETCH)
        cancelled = Flag()
        channel.add_on_cancel_callback(lambda _frame: cancelled.set())  # the queue was deleted, or has moved
        channel.basic_consume(queue, on_message)
        log.info("consuming from %s", queue)
        while not stop.is_set() and not cancelled.is_set():
            connection.process_data_events(time_limit=0.5)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("pika").setLevel(logging.CRITICAL)  # what it would say is said below
    stop = Flag()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    parameters = pika.URLParameters(os.environ["BROKER_URL"])
    parameters.heartbeat = 15
    parameters.blocked_connection_timeout = 60
    queue = os.environ.get("QUEUE", "platform.pull-secrets")
    due = DueRenewals(os.environ.get("DATABASE", "due.sqlite"))
    wait = FIRST_BACKOFF_SECONDS
    while not stop.is_set():
        began = monotonic()
        try:
            consume(parameters, queue, due, stop)
        except (AMQPError, OSError, sqlite3.OperationalError) as error:
            log.warning("interrupted by %s", type(error).__name__)
        if monotonic() - began > HEALTHY_SECONDS:
            wait = FIRST_BACKOFF_SECONDS
        stop.wait(wait * SystemRandom().uniform(0.5, 1.5))
        wait = min(2 * wait, LONGEST_BACKOFF_SECONDS)
    log.info("stopped")


if __name__ == "__main__":
    main()
