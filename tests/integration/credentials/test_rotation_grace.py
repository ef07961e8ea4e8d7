"""A secret that a rotation replaced is stored for the requested grace, and destroyed at once without one."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from threading import Event
from uuid import UUID

import psycopg
import pytest

from chassis.database import open_pool
from chassis.ids import new_id
from chassis.secret import Secret
from credentials.application.command_handler import CommandRequest
from credentials.application.credentials import Credentials
from credentials.domain.commands import DEFAULT_GRACE
from credentials.postgres_store import PostgresCredentialStore
from credentials.relay.housekeeping import Housekeeping
from credentials.relay.sweep_paths import sweep_secrets
from eventlog.events import Actor
from eventlog.storage import read_log
from eventlog.storage.log import load_checkpoint
from registries.input.new_secret import NewSecret
from registries.logins.registry_login import RegistryLogin
from secretstore.store import SecretPath
from tests.support.builders import EVERYBODY, GITHUB, details
from tests.support.log import sequence_all
from tests.support.memory_secretstore import MemorySecretStore
from tests.support.timing import waiting

NOW = datetime(2026, 1, 2, tzinfo=UTC)
REQUEST = CommandRequest(
    account_id="acme", actor=Actor(type="service", id="svc", name="a service"), now=NOW, request_id="r-1"
)
_numbers = count(1)


@dataclass
class World:
    credentials: Credentials
    secrets: MemorySecretStore
    database_url: str

    def rotated(self, grace: timedelta) -> UUID:
        name = f"grace {next(_numbers)}"
        added = self.credentials.add(REQUEST, secret("old"), details(name), EVERYBODY)
        self.credentials.rotations.rotate(
            REQUEST, added.credential_id, None, lambda _: secret("new"), grace=grace
        )
        return added.credential_id

    def readable(self, credential_id: UUID) -> list[int]:
        versions = self.secrets.versions(SecretPath("acme", credential_id))
        return [version.version for version in versions if not version.destroyed]

    def sweep(self) -> None:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            sweep_secrets(connection, self.secrets)

    def run_housekeeping(self) -> None:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            [epoch] = connection.execute("SELECT es.lead('relay', '0')").fetchone() or (0,)
            sequence_all(connection, epoch)
            housekeeping = Housekeeping(self.secrets, tiers=(), stop=Event(), monotonic=time.monotonic)
            done = load_checkpoint(connection, "housekeeping")
            housekeeping.begin(done)
            events = read_log(connection, done, 1000)
            housekeeping.handle(connection, events)
            while events and housekeeping.handle(connection, []) != events[-1].position:
                time.sleep(0.01)
            housekeeping.close()


def secret(password: str) -> NewSecret:
    return NewSecret(
        registry=GITHUB,
        kind="username_password",
        login=RegistryLogin(username="octo", password=Secret(password)),
    )


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    secrets = MemorySecretStore()
    with open_pool(database_url, role="regcred_credentials", size=2) as pool:
        store = PostgresCredentialStore(pool)
        credentials = Credentials(store, secrets, secret_fingerprint=lambda _: "ab" * 16, new_id=new_id)
        yield World(credentials, secrets, database_url)


@pytest.mark.parametrize("grace", [DEFAULT_GRACE, timedelta(minutes=2), timedelta(days=7)])
def test_a_previous_secret_can_be_read_during_the_grace(world: World, grace: timedelta) -> None:
    credential_id = world.rotated(grace)
    world.run_housekeeping()
    world.sweep()
    assert world.readable(credential_id) == [1, 2]


def test_a_previous_secret_is_destroyed_by_the_first_sweep_after_the_grace(world: World) -> None:
    credential_id = world.rotated(timedelta(seconds=0.1))

    def destroyed() -> bool:
        world.sweep()
        return world.readable(credential_id) == [2]

    waiting(destroyed)


def test_a_previous_secret_is_destroyed_at_once_without_grace(world: World) -> None:
    credential_id = world.rotated(timedelta(0))
    with_grace = world.rotated(timedelta(minutes=1))
    world.run_housekeeping()
    assert world.readable(credential_id) == [2]
    assert world.readable(with_grace) == [1, 2]
