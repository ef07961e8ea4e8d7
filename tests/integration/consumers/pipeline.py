"""The way of an event through real servers: relay, broker, two verifiers of which one leads, and projector.

The login of the verifier is a pause; its outcome is recorded as that of a real login.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from threading import Event, Thread
from typing import Any

import pika
import psycopg

from chassis.database import open_pool
from chassis.ids import new_id
from contracts.streams import verification_stream
from credentials.relay import sequencer
from credentials.relay.publisher import RelayPublisher
from eventlog.broker import outgoing_message
from eventlog.broker.feed import PositionFeed
from eventlog.consumers import ConcurrentConsumer, follow
from eventlog.events import NewEvent, RecordedEvent, StoredEvent
from eventlog.storage import read_log
from eventlog.storage.log import load_checkpoint
from eventlog.topology import LAST_PUBLISHED
from projector.write.consumer import ReadModelConsumer
from secretstore.installation import installation_id
from tests.integration.projector import payloads
from tests.integration.projector.payloads import Connection, Log, open_log
from tests.support.postgres import migrated_database
from tests.support.rabbitmq import RabbitMQ
from tests.support.timing import PATIENCE
from verifier.postgres_store import PostgresVerificationStore
from verifier.stream_append import record_once
from verifier.verifier import ACTOR

QUEUES = ("regcred.verifier", "regcred.projector")
LOGIN_SECONDS = 0.01


@dataclass
class Pipeline:
    url: str
    broker: RabbitMQ
    log: Log
    owner: Connection
    handled: list[int] = field(default_factory=list)
    count: int = 0

    def add(self, count: int) -> None:
        """Add this number of credentials."""
        for _ in range(count):
            self.count += 1
            self.log.append_payload(payloads.added(self.count, f"team-{self.count}"))

    def end(self) -> int:
        return int(self._one("SELECT coalesce(max(position), 0) FROM es.log"))

    def lag_is_zero(self) -> bool:
        """Whether every event has a position, and all consumers are at the end of the log."""
        events, end = int(self._one("SELECT count(*) FROM es.events")), self.end()
        return (
            events == end == load_checkpoint(self.owner, "verifier") == self.projected()
            and self._one("SELECT count(*) FROM es.retries") == 0
        )

    def projected(self) -> int:
        return int(self._one("SELECT position FROM rm.generations WHERE status = 'live'"))

    def outcomes(self) -> dict[int, int]:
        """The number of credentials by their number of outcomes."""
        rows = self.owner.execute(
            "SELECT count(v.credential_id) FROM rm.credentials c"
            " LEFT JOIN rm.verifications v USING (credential_id) GROUP BY c.credential_id"
        ).fetchall()
        assert self._one("SELECT count(*) FROM es.events WHERE type = 'verification.succeeded'") == self._one(
            "SELECT count(*) FROM rm.verifications"
        )
        counts: dict[int, int] = {}
        for (outcomes,) in rows:
            counts[outcomes] = counts.get(outcomes, 0) + 1
        return counts

    def events(self) -> list[StoredEvent]:
        return read_log(self.owner, 0, 10_000)

    def publish(self, events: list[StoredEvent]) -> None:
        """Publish events again, as the relay did."""
        with self.broker.connect() as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            installation = installation_id(self.owner)
            for message in (outgoing_message(event, installation) for event in events):
                properties = pika.BasicProperties(headers=dict(message.headers), type=message.routing_key)
                channel.basic_publish("regcred.events", message.routing_key, message.body, properties)

    def cut(self) -> int:
        """Cut all database connections of all services."""
        rows = self.owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name LIKE 'regcred_%'"
        ).fetchall()
        return len(rows)

    def queues_are_empty(self) -> bool:
        depths = self.broker.depths()
        return all(depths[queue] == 0 for queue in QUEUES)

    def _one(self, query: Any) -> Any:
        row = self.owner.execute(query).fetchone()
        assert row is not None
        return row[0]


@contextmanager
def running(broker: RabbitMQ) -> Iterator[Pipeline]:
    """All services run, on a database of their own and the broker that all tests share."""
    broker.purge(LAST_PUBLISHED, *QUEUES, *(f"{queue}.dead" for queue in QUEUES))
    with ExitStack() as servers:
        url = servers.enter_context(migrated_database())
        log = servers.enter_context(open_log(url))
        owner = servers.enter_context(psycopg.connect(url, autocommit=True, application_name="test"))
        pipeline = Pipeline(url, broker, log, owner)
        pool = servers.enter_context(open_pool(url, role="regcred_verifier", size=8))
        stop = Event()
        handle = _verifying(PostgresVerificationStore(pool), pipeline)
        threads = [*_relaying(url, broker.url, stop)]
        for _ in range(2):
            consumer = ConcurrentConsumer(
                handle,
                name="verifier",
                types=frozenset({"credential.added"}),
                concurrency=4,
                tiers=(timedelta(seconds=1),),
                stop=stop,
            )
            threads.append(_following(consumer, url, broker.url, "verifier", stop))
        models = ReadModelConsumer()
        threads.append(
            _following(
                models, url, broker.url, "projector", stop, checkpoint=models.redrive_and_get_checkpoint
            )
        )
        for thread in threads:
            thread.start()
        try:
            yield pipeline
        finally:
            stop.set()
            for thread in threads:
                thread.join(PATIENCE)
            assert not [thread.name for thread in threads if thread.is_alive()]


def _verifying(store: PostgresVerificationStore, pipeline: Pipeline) -> Callable[[RecordedEvent], None]:
    def handle(event: RecordedEvent) -> None:
        time.sleep(LOGIN_SECONDS)
        by_verifier = replace(payloads.metadata(), actor=ACTOR)
        payload = replace(
            payloads.succeeded(1, 1), verification_id=event.event_id, credential_id=event.stream.id
        )
        record_once(
            store,
            verification_stream(event.stream.id),
            f"verification:{event.event_id}",
            lambda _history: [NewEvent(event_id=new_id(), payload=payload, metadata=by_verifier)],
        )
        pipeline.handled.append(event.position or 0)

    return handle


def _relaying(url: str, broker_url: str, stop: Event) -> list[Thread]:
    publishing = RelayPublisher(url, broker_url, role=sequencer.ROLE, jitter=lambda: 0.5, stop=stop)
    numbers = {"on_positions": publishing.announce, "stop": stop}
    return [
        Thread(target=publishing.run, name="publishing"),
        Thread(target=sequencer.run, args=(url,), kwargs=numbers, name="sequencing"),
    ]


def _following(consumer: Any, url: str, broker_url: str, name: str, stop: Event, **more: Any) -> Thread:
    wakeups = PositionFeed(broker_url, f"regcred.{name}", prefetch=50)
    arguments: dict[str, Any] = {
        "database_url": url,
        "role": f"regcred_{name}",
        "name": name,
        "wakeups": wakeups,
    }

    def run() -> None:
        follow(consumer, **arguments, stop=stop, **more)
        wakeups.close()

    return Thread(target=run, name=name)
