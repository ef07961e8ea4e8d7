"""An asynchronous standby is promoted while it lacks the last committed events, which were published already."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import UUID

import psycopg
import pytest
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from chassis.authentication.tokens import TokenScope
from chassis.settings.environment import Settings
from chassis.web.api_part import join
from credentials.bootstrap import command_api
from credentials.relay import sequencer
from credentials.relay.lost_events import PublishedEventsLost
from credentials.relay.publisher import RelayPublisher
from eventlog.broker.cloudevents import position_of
from eventlog.topology import EXCHANGE, LAST_PUBLISHED
from operations.migrate.migrations import migrate
from operations.migrate.preparation import bind_secret_store, prepare_keys
from tests.support.log import scalar
from tests.support.operator_commands import run_command
from tests.support.rabbitmq import RabbitMQ
from tests.support.standby import PrimaryAndStandby
from tests.support.system import add_body
from tests.support.timing import PATIENCE, waiting
from tests.support.tokens import store_token
from tests.support.vault import Vault

ACCOUNT = "/v1/accounts/acme"
QUEUE = "regcred.test.platform"  # of a consumer that is told of every event


@pytest.fixture
def servers() -> Iterator[PrimaryAndStandby]:
    with PrimaryAndStandby() as pair:
        migrate(pair.primary)
        yield pair


@contextmanager
def relaying(url: str, broker_url: str) -> Iterator[RelayPublisher]:
    """A relay without housekeeping: its publisher."""
    stop = Event()
    publisher = RelayPublisher(url, broker_url, role=sequencer.ROLE, jitter=lambda: 0.5, stop=stop)
    threads = [
        Thread(target=publisher.run),
        Thread(target=sequencer.run, args=[url], kwargs={"on_positions": publisher.announce, "stop": stop}),
    ]
    for thread in threads:
        thread.start()
    try:
        yield publisher
    finally:
        stop.set()
        for thread in threads:
            thread.join(PATIENCE)


def add(client: FlaskClient, name: str) -> Any:
    body = add_body(name, f"{name}.example.com", "octo", "p")
    return client.post(f"{ACCOUNT}/credentials", json=body, headers={"Idempotency-Key": name})


def value(url: str, statement: str) -> Any:
    with psycopg.connect(url, autocommit=True) as connection:
        return scalar(connection, statement)


def received(broker: RabbitMQ) -> list[tuple[int, UUID]]:
    """Positions and ids of the events that the consumer received since the last call."""
    return [
        (position_of(properties.headers), UUID(properties.message_id))
        for properties, _ in broker.drain(QUEUE)
    ]


@pytest.fixture
def broker(rabbitmq: RabbitMQ) -> Iterator[RabbitMQ]:
    rabbitmq.purge(LAST_PUBLISHED)
    with rabbitmq.connect() as connection:
        channel = connection.channel()
        channel.queue_declare(QUEUE, durable=True)
        channel.queue_bind(QUEUE, EXCHANGE, "#")
    yield rabbitmq
    rabbitmq.delete(QUEUE)
    rabbitmq.purge(LAST_PUBLISHED, "regcred.verifier", "regcred.projector")


def test_no_position_is_used_again_until_the_loss_is_accepted(
    servers: PrimaryAndStandby, broker: RabbitMQ, own_vault: Vault, tmp_path: Path
) -> None:
    environment = {
        "REGCRED_HOME": str(tmp_path),
        "REGCRED_DATABASE_URL": servers.both,
        "REGCRED_BROKER_URL": broker.url,
        "REGCRED_VAULT_ADDR": own_vault.addr,
        "REGCRED_VAULT_ROLE_ID": own_vault.role_id("one-machine"),
        "REGCRED_VAULT_SECRET_ID_FILE": str(own_vault.secret_id_file("one-machine")),
    }
    settings = Settings.from_environment(environment)
    keys = prepare_keys(settings.key_file)
    token = store_token(servers.primary, keys, [TokenScope.ADMIN])
    bind_secret_store(settings, servers.primary, keys)
    servers.start_standby()
    api = command_api(settings)
    client = join([api]).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    try:
        with relaying(servers.both, broker.url) as publisher:
            assert add(client, "kept").status_code == 201
            waiting(lambda: value(servers.primary, "SELECT published FROM es.relay") == 1)
            waiting(lambda: value(servers.standby, "SELECT published FROM es.relay") == 1)
            servers.cut_standby_off()
            lost = add(client, "lost").get_json()
            waiting(lambda: value(servers.primary, "SELECT published FROM es.relay") == 2)
            [_, (last, published_id)] = received(broker)
            assert last == 2

            with capture_logs() as lines:
                servers.stop_primary()
                servers.promote()
                waiting(lambda: add(client, "other").status_code == 201, "commands continue")
                waiting(lambda: "PublishedEventsLost" in str(lines), "the relay says what is wrong")
            with pytest.raises(PublishedEventsLost):
                publisher.check()  # the relay is not ready
            # Position 2 belongs to another event, and nobody is told of it.
            waiting(lambda: value(servers.standby, "SELECT max(position) FROM es.log") == 2)
            assert value(servers.standby, "SELECT published FROM es.relay") == 1
            assert received(broker) == []
            doctor = run_command("doctor", environment).output
            assert "published events are not in the database, the last one with position 2" in doctor

            # The key of the lost command is free again, and Vault has its secret already.
            again = add(client, "lost")
            assert again.status_code == 201, again.text
            assert again.get_json()["name"] == lost["name"]

            accepted = run_command("log accept-loss", environment)
            assert accepted.exit_code == 0, accepted.output
            assert "published with positions 2 to 2" in accepted.output
            waiting(lambda: value(servers.standby, "SELECT published FROM es.relay") == 3)
            [(second, second_id), (third, _)] = received(broker)
            assert (second, third) == (2, 3)
            publisher.check()
            assert second_id != published_id
        assert "nothing to do" in run_command("log accept-loss", environment).output
    finally:
        api.close()
