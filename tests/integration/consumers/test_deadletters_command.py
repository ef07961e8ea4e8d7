"""`regcred deadletters`, as an operator types it, beside running consumers, on real servers."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pika
import psycopg
import pytest
from click.testing import CliRunner, Result

from contracts.credential_events import CredentialAdded
from eventlog.consumers import ConcurrentConsumer, Notifications, follow
from eventlog.consumers.consumer import EventConsumer
from eventlog.events import RecordedEvent, encode
from projector.rebuild.build_process import ROLE
from projector.write.consumer import CONSUMER, ReadModelConsumer
from regcred.__main__ import main
from secretstore.keyfile import KeyFile
from tests.integration.projector import payloads
from tests.integration.projector.payloads import Connection, Log, open_log, stream_of
from tests.support.postgres import migrated_database
from tests.support.rabbitmq import RabbitMQ
from tests.support.timing import PATIENCE, waiting


@pytest.fixture
def database_url() -> Iterator[str]:
    with migrated_database() as url:
        yield url


@pytest.fixture
def log(database_url: str) -> Iterator[Log]:
    with open_log(database_url) as made:
        yield made


@pytest.fixture
def owner(database_url: str) -> Iterator[Connection]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


class Operator:
    def __init__(self, database_url: str, **environment: str) -> None:
        self._environment = {"REGCRED_DATABASE_URL": database_url, **environment}

    def types(self, *arguments: str, answer: str | None = None) -> Result:
        command = ["deadletters", *arguments]
        return CliRunner().invoke(main, command, env=self._environment, input=answer)

    def gets(self, *arguments: str) -> str:
        result = self.types(*arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    def items(self, *arguments: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.gets("list", "--json", *arguments))["items"]
        return found


@contextmanager
def following(url: str, consumer: EventConsumer, *, role: str, name: str, **more: Any) -> Iterator[None]:
    stop, wakeups = Event(), Notifications(url, role=role)
    arguments = {"database_url": url, "role": role, "name": name, "wakeups": wakeups, "stop": stop, **more}
    thread = Thread(target=follow, args=(consumer,), kwargs=arguments, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(PATIENCE)
        wakeups.close()


class Handler:
    """Fails on positions in `failing`, and records all that it handled."""

    def __init__(self) -> None:
        self.failing: set[int] = set()
        self.tried: list[int] = []

    def __call__(self, event: RecordedEvent) -> None:
        assert event.position is not None
        assert isinstance(event.payload, CredentialAdded)
        self.tried.append(event.position)
        if event.position in self.failing:
            raise RuntimeError


@contextmanager
def verifying(url: str, handler: Handler, *tiers: timedelta) -> Iterator[None]:
    consumer = ConcurrentConsumer(
        handler,
        name="verifier",
        types=frozenset({"credential.added"}),
        concurrency=1,
        tiers=tiers,
        stop=Event(),
    )
    with following(url, consumer, role="regcred_verifier", name="verifier"):
        yield
    consumer.close()


def interventions(owner: Connection) -> list[tuple[Any, ...]]:
    return owner.execute(
        "SELECT action, consumer, position, reason, remark, person, login FROM es.interventions ORDER BY number"
    ).fetchall()


def test_retries_and_dead_letters_are_listed_shown_and_redriven_in_order(
    database_url: str, log: Log, owner: Connection
) -> None:
    log.append(*(payloads.added(number) for number in range(1, 6)))
    operator, handler = Operator(database_url), Handler()
    assert (
        operator.items() == []
    )  # from here on log lines go to standard error, as the command configures them
    handler.failing = {2, 4, 5}
    with verifying(database_url, handler, timedelta(hours=1)):
        waiting(lambda: len(operator.items()) == 3)
        owner.execute("UPDATE es.retries SET due_at = now() WHERE position <> 4")
        waiting(lambda: [item["state"] for item in operator.items()] == ["dead", "retry", "dead"])
        listed = operator.gets("list")
        assert "credential.added  dead" in listed
        assert "credential.added  retry at 2" in listed

        first = operator.types("list", "--limit", "2")
        assert (first.stdout.count("credential.added"), "there are more" in first.stderr) == (2, True)
        assert "there are more" not in operator.types("list", "--limit", "3").stderr
        assert [json.loads(operator.gets("list", "--json", "--limit", n))["more"] for n in "23"] == [
            True,
            False,
        ]

        shown = json.loads(operator.gets("show", "verifier", "2", "--json"))
        assert (shown["attempts"], shown["reason"], shown["state"]) == (2, "RuntimeError", "dead")
        assert shown["event"]["data"]["username"] == "octo"
        assert shown["event"]["meta"]["account_id"] == "acme"
        assert shown["interventions"] == []
        assert '"username": "octo"' in operator.gets("show", "verifier", "2")

        handler.failing = {4}
        handler.tried.clear()
        result = operator.types("redrive", "verifier", "--all", "--as", "ada")
        assert result.exit_code == 3  # 4 has failed again
        assert result.stdout == "2 done, 1 left\n"
        assert "3 of 3 retried, 1 failed again" in result.stderr
        assert handler.tried == [2, 4, 5]
        assert [(item["position"], item["attempts"]) for item in operator.items()] == [(4, 1)]
        handler.failing.clear()
        assert operator.gets("redrive", "verifier", "4") == "1 done, 0 left\n"
    assert operator.items() == []
    assert [row[:3] for row in interventions(owner)] == [
        ("redriven", "verifier", position) for position in (2, 4, 5, 4)
    ]
    assert interventions(owner)[0][5:] == ("ada", "postgres")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        owner.execute("DELETE FROM es.interventions")


def test_a_discard_is_recorded_with_person_and_reason(database_url: str, log: Log, owner: Connection) -> None:
    log.append(payloads.added(1), payloads.added(2))
    operator, handler = Operator(database_url), Handler()
    handler.failing = {1, 2}
    with verifying(database_url, handler):
        waiting(lambda: len(operator.items("--consumer", "verifier")) == 2)
        refused = operator.types("discard", "verifier", "1", "--reason", "no use", answer="y\n")
        assert refused.exit_code == 2  # there is no terminal, and no --yes
        assert len(operator.items()) == 2
        assert operator.types("discard", "verifier", "1", "--yes").exit_code == 2  # a reason is required
        done = operator.types("discard", "verifier", "1", "--reason", "no use", "--as", "ada", "--yes")
        assert done.exit_code == 0, done.output
        missing = operator.types("discard", "verifier", "1", "--reason", "no use", "--yes")
        assert "verifier has no dead letter at 1" in missing.stderr
    assert [item["position"] for item in operator.items()] == [2]
    assert interventions(owner) == [
        ("discarded", "verifier", 1, "RuntimeError", "no use", "ada", "postgres"),
    ]


def test_a_stream_of_the_projector_is_redriven_in_its_order(
    database_url: str, log: Log, owner: Connection, tmp_path: Path
) -> None:
    name, _, data = encode(payloads.renamed(1, "unreadable"))
    log.append(payloads.added(1), payloads.added(2))
    log.append_raw(stream_of(payloads.renamed(1, "x")), name, data.decode(), 99)
    log.append(payloads.renamed(1, "later"), payloads.removed(1))
    KeyFile.create(keys := tmp_path / "keys.json")
    operator, models = Operator(database_url, REGCRED_KEY_FILE=str(keys)), ReadModelConsumer()
    with following(
        database_url, models, role=ROLE, name=CONSUMER, checkpoint=models.redrive_and_get_checkpoint
    ):
        waiting(lambda: len(operator.items()) == 1)
        [item] = operator.items("--consumer", "projector")
        assert (item["consumer"], item["position"], item["followers"]) == ("projector:1", 3, 2)
        shown = json.loads(operator.gets("show", "projector", "3", "--json"))
        assert shown["waiting"] == [
            {"position": 4, "type": "credential.details_changed"},
            {"position": 5, "type": "credential.removed"},
        ]
        failing = operator.types("redrive", "projector", "--stream", item["stream_id"])
        assert failing.exit_code == 3
        assert "version 99 is registered" in failing.stderr
        log.repair(3, schema_version=1)
        assert operator.gets("redrive", "projector", "--all") == "3 done, 0 left\n"
        assert operator.items() == []
        assert owner.execute("SELECT count(*) FROM rm.credentials").fetchone() == (1,)

        log.append_raw(stream_of(payloads.renamed(2, "x")), name, data.decode(), 99)
        log.append(payloads.renamed(2, "crew"))
        waiting(lambda: len(operator.items()) == 1)
        operator.gets("discard", "projector", "6", "--reason", "nobody reads it", "--yes")
        assert operator.gets("redrive", "projector", "7") == "1 done, 0 left\n"
        assert owner.execute("SELECT name FROM rm.credentials").fetchall() == [("crew",)]


def test_dead_letters_of_a_generation_that_is_not_live_are_not_changed(
    database_url: str, log: Log, owner: Connection, tmp_path: Path
) -> None:
    log.append(payloads.added(1))
    owner.execute(
        "INSERT INTO es.dead_letters (consumer, position, stream_id, reason) SELECT 'projector:7', position, stream_id, 'x'"
        " FROM es.log"
    )
    KeyFile.create(keys := tmp_path / "keys.json")
    operator = Operator(database_url, REGCRED_KEY_FILE=str(keys))
    for command in (["redrive", "projector:7", "1"], ["discard", "projector:7", "1", "--reason=x", "--yes"]):
        result = operator.types(*command)
        assert result.exit_code == 1
        assert "projector:7 is not the live generation" in result.stderr
    assert len(operator.items()) == 1
    assert interventions(owner) == []


def test_rejected_messages_are_listed_shown_and_discarded(
    rabbitmq: RabbitMQ, database_url: str, owner: Connection
) -> None:
    queue = "regcred.verifier.dead"
    rabbitmq.purge("regcred.verifier", queue)
    with rabbitmq.connect() as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for message_id, body in (("m-1", b"canary"), (None, b"other")):
            properties = pika.BasicProperties(message_id=message_id, type="strange", delivery_mode=2)
            channel.basic_publish("regcred.verifier.dead", "", body, properties, mandatory=True)
    operator = Operator(database_url, REGCRED_BROKER_URL=rabbitmq.url)
    for _ in range(25):
        assert len(json.loads(operator.gets("list", "--json"))["messages"]) == 2
    # Reading the messages does not remove them.
    first, second = json.loads(operator.gets("list", "--json"))["messages"]
    assert (first["queue"], first["id"], first["type"], first["size"]) == (queue, "m-1", "strange", 6)
    assert "m-1" in operator.gets("list")
    assert "canary" not in operator.gets("show", queue, "m-1")
    assert "discard it" in operator.types("redrive", queue, "m-1").stderr
    operator.gets("discard", queue, "m-1", "--reason", "a stranger's", "--yes", "--as", "ada")
    assert [one["id"] for one in json.loads(operator.gets("list", "--json"))["messages"]] == [second["id"]]
    assert interventions(owner)[0][:6] == ("discarded", queue, None, "unknown", "a stranger's", "ada")
    rabbitmq.purge(queue)


def test_dead_letters_are_listed_if_the_broker_is_unavailable(
    database_url: str, log: Log, owner: Connection
) -> None:
    log.append(payloads.added(1))
    owner.execute(
        "INSERT INTO es.dead_letters (consumer, position, stream_id, reason) SELECT 'verifier', position, stream_id, 'x'"
        " FROM es.log"
    )
    result = Operator(database_url, REGCRED_BROKER_URL="amqp://nobody:canary@127.0.0.1:1/x").types("list")
    assert result.exit_code == 0
    assert "the queues could not be read" in result.stderr
    assert "canary" not in result.output
    assert "credential.added" in result.stdout


def test_a_wrong_database_is_reported() -> None:
    assert "is unavailable" in Operator("host=/nowhere").types("list").stderr
