"""Housekeeping on a real log and the real encrypted table, by the relay's own role."""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from threading import Event, Thread
from uuid import UUID, uuid5

import psycopg
import pytest
from structlog.testing import capture_logs

from chassis.database import Pool, open_pool
from chassis.secret import Secret
from credentials.application.command_handler import CommandRequest
from credentials.application.credentials import Credentials
from credentials.postgres_store import PostgresCredentialStore
from credentials.relay.housekeeping import CONSUMER, IDEMPOTENCY_KEY_AGE, SWEEP_EVERY, Housekeeping
from eventlog.consumers import Notifications, follow
from eventlog.events import Actor
from eventlog.storage import read_log
from eventlog.storage.log import load_checkpoint
from registries.input.new_secret import NewSecret
from registries.logins.registry_login import RegistryLogin
from secretstore.encrypted_table import EncryptedStore
from secretstore.keyfile import KeyFile
from secretstore.store import (
    SecretDestroyed,
    SecretMissing,
    SecretPath,
    SecretStoreUnavailable,
)
from tests.support.builders import EVERYBODY, GITHUB, details
from tests.support.log import Connection, fresh_log, lead, relay_of, sequence
from tests.support.secretstore_suite import a_path, put
from tests.support.timing import PATIENCE, waiting

NOW = datetime.now(UTC)  # noqa: TID251 the rows of the encrypted table are as old as the database says
IDS = UUID("00000000-0000-0000-0000-00000000beef")
REQUEST = CommandRequest(
    account_id="acme", actor=Actor(type="service", id="svc", name="a service"), now=NOW, request_id="r-1"
)
_numbers = count(1)


class Services:
    """The credentials service and the relay of one database."""

    def __init__(self, url: str, service: Pool, relay_pool: Pool, relay: Connection, keys: KeyFile) -> None:
        self.url, self.relay = url, relay
        self.secrets, self.relay_secrets = EncryptedStore(service, keys), UnavailableAtTimes(relay_pool, keys)
        self.credentials = Credentials(
            PostgresCredentialStore(service),
            self.secrets,
            secret_fingerprint=lambda _: "ab" * 16,
            new_id=lambda: uuid5(IDS, str(next(_numbers))),
        )
        self.now = NOW
        self.stop = Event()
        self.housekeeping = Housekeeping(
            self.relay_secrets, now=lambda: self.now, tiers=(timedelta(minutes=1),), stop=self.stop
        )
        self.epoch = lead(relay)

    def added(self) -> SecretPath:
        name = f"credential {next(_numbers)}"
        added = self.credentials.add(REQUEST, a_secret("old"), details(name), EVERYBODY)
        return SecretPath("acme", added.credential_id)

    def remove(self, path: SecretPath) -> None:
        self.credentials.remove(REQUEST, path.credential_id, None, reason=None, forced=False)

    def take(self, seconds: float = PATIENCE) -> int:
        """Handle events as a new leader does, for this number of seconds at most; its checkpoint then."""
        end = sequence(self.relay, self.epoch)
        done = load_checkpoint(self.relay, CONSUMER)
        self.housekeeping.begin(done)
        done = self.housekeeping.handle(self.relay, read_log(self.relay, done, 1000))
        deadline = time.monotonic() + seconds
        while done < end and time.monotonic() < deadline:
            time.sleep(0.01)
            done = self.housekeeping.handle(self.relay, [])
        return done

    def age(self, path: SecretPath, minutes: float) -> None:
        with psycopg.connect(self.url) as superuser:
            superuser.execute(
                "UPDATE encrypted.secrets SET created_at = %s WHERE credential_id = %s",
                (self.now - timedelta(minutes=minutes), path.credential_id),
            )

    def readable(self, path: SecretPath) -> list[int]:
        return [version.version for version in self.secrets.versions(path) if not version.destroyed]


class UnavailableAtTimes(EncryptedStore):
    """The encrypted store, which is unavailable while `unavailable` is set."""

    unavailable = False
    refused = 0

    def remove(self, path: SecretPath) -> None:
        self._check_available()
        super().remove(path)

    def destroy(self, path: SecretPath, versions: Sequence[int]) -> None:
        self._check_available()
        super().destroy(path, versions)

    def paths(self) -> Iterator[SecretPath]:
        self._check_available()
        return super().paths()

    def _check_available(self) -> None:
        if self.unavailable:
            self.refused += 1
            raise SecretStoreUnavailable("sealed")


def a_secret(password: str) -> NewSecret:
    return NewSecret(
        registry=GITHUB,
        kind="username_password",
        login=RegistryLogin(username="octo", password=Secret(password)),
    )


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    keys = KeyFile.create(tmp_path / "keys.json")
    with (
        fresh_log() as url,
        open_pool(url, role="regcred_credentials", size=2) as service,
        open_pool(url, role="regcred_relay", size=2) as relay_pool,
        relay_of(url) as relay,
    ):
        made = Services(url, service, relay_pool, relay, keys)
        yield made
        made.stop.set()
        made.housekeeping.close()


def test_the_secret_of_a_removed_credential_is_destroyed_and_others_stay(services: Services) -> None:
    removed, other = services.added(), services.added()
    services.remove(removed)
    assert services.take() == 3
    with pytest.raises(SecretMissing):
        services.secrets.get(removed, 1)
    assert services.readable(other) == [1]
    assert services.take() == 3
    assert load_checkpoint(services.relay, CONSUMER) == 3


def test_the_checkpoint_stays_before_a_removal_while_the_store_is_unavailable(services: Services) -> None:
    first, second = services.added(), services.added()
    services.remove(first)
    services.remove(second)
    services.relay_secrets.unavailable = True
    for _ in range(2):
        assert services.take(0.5) < 3
    assert load_checkpoint(services.relay, CONSUMER) < 3
    assert services.readable(first) == services.readable(second) == [1]
    services.relay_secrets.unavailable = False
    assert services.take() == 4
    assert services.readable(first) == services.readable(second) == []


def test_a_removal_is_retried_until_the_store_is_available(services: Services) -> None:
    path = services.added()
    services.remove(path)
    services.relay_secrets.unavailable = True
    sequence(services.relay, services.epoch)
    stop, wakeups = Event(), Notifications(services.url, role="regcred_relay")

    def run() -> None:
        follow(
            services.housekeeping,
            database_url=services.url,
            role="regcred_relay",
            name=CONSUMER,
            wakeups=wakeups,
            stop=stop,
        )

    thread = Thread(target=run, daemon=True)
    thread.start()
    waiting(lambda: services.relay_secrets.refused >= 2)
    assert services.readable(path) == [1]
    services.relay_secrets.unavailable = False
    waiting(lambda: services.secrets.versions(path) == ())
    waiting(lambda: load_checkpoint(services.relay, CONSUMER) == 2)
    stop.set()
    thread.join(PATIENCE)
    wakeups.close()


@pytest.mark.parametrize(("minutes", "gone"), [(14.9, False), (15.1, True)])
def test_the_secret_of_a_failed_command_is_swept_only_after_the_grace(
    services: Services, minutes: float, gone: bool
) -> None:
    orphan, other = a_path("orphan"), services.added()
    put(services.secrets, orphan, "one")
    services.age(orphan, minutes)
    services.age(other, 10_000)
    services.take()
    assert (services.secrets.versions(orphan) == ()) == gone
    assert services.readable(other) == [1]


def test_the_version_of_a_failed_rotation_is_destroyed_and_the_current_one_stays(services: Services) -> None:
    path = services.added()
    services.secrets.put(path, Secret("never appended"), write_id="w", expected_version=1)
    services.age(path, 20)
    services.take()
    assert services.readable(path) == [1]
    with pytest.raises(SecretDestroyed):
        services.secrets.get(path, 2)
    services.credentials.rotate(REQUEST, path.credential_id, None, lambda _: a_secret("new"))
    assert services.secrets.current_version(path) == 3
    assert services.readable(path) == [1, 3]


def test_a_replaced_secret_is_destroyed_after_its_grace(services: Services) -> None:
    path = services.added()
    services.credentials.rotate(REQUEST, path.credential_id, None, lambda _: a_secret("new"))
    services.age(path, 60)
    services.now = NOW + timedelta(minutes=14)
    services.take()
    assert services.readable(path) == [1, 2]
    services.now += SWEEP_EVERY
    services.take()
    assert services.readable(path) == [2]


def test_a_sweep_runs_once_an_hour(services: Services) -> None:
    services.take()
    orphan = a_path("hourly")
    put(services.secrets, orphan, "one")
    services.age(orphan, 60)
    services.now = NOW + SWEEP_EVERY - timedelta(seconds=1)
    services.take()
    assert services.readable(orphan) == [1]
    services.now = NOW + SWEEP_EVERY
    services.take()
    assert services.readable(orphan) == []


def test_a_sweep_that_the_database_interrupts_is_repeated_at_once(services: Services) -> None:
    orphan = a_path("interrupted")
    put(services.secrets, orphan, "one")
    services.age(orphan, 60)
    with psycopg.connect(services.url, autocommit=True) as admin:
        admin.execute("ALTER TABLE credentials.current RENAME TO away")
        try:
            with pytest.raises(psycopg.errors.UndefinedTable):
                services.take()
        finally:
            admin.execute("ALTER TABLE credentials.away RENAME TO current")
    services.take()
    assert services.readable(orphan) == []


def test_a_sweep_is_postponed_and_blocks_nothing_while_the_store_is_unavailable(services: Services) -> None:
    path = services.added()
    orphan = a_path("put-off")
    put(services.secrets, orphan, "one")
    services.age(orphan, 60)
    services.relay_secrets.unavailable = True
    with capture_logs() as logs:
        assert services.take() == 1
    assert "sweep_put_off" in [line["event"] for line in logs]
    services.relay_secrets.unavailable = False
    services.now += timedelta(minutes=1)
    services.take()
    assert services.readable(orphan) == []  # not an hour later
    assert services.readable(path) == [1]


def test_idempotency_keys_are_deleted_after_a_day(services: Services) -> None:
    with psycopg.connect(services.url) as superuser:
        for key, age in (
            ("old", IDEMPOTENCY_KEY_AGE + timedelta(seconds=1)),
            ("young", IDEMPOTENCY_KEY_AGE - timedelta(minutes=1)),
        ):
            superuser.execute(
                "INSERT INTO es.idempotency (account_id, key, fingerprint, version, response, created_at)"
                " VALUES ('acme', %s, '', 1, '{}', %s)",
                (key, NOW - age),
            )
    services.take()
    assert services.relay.execute("SELECT key FROM es.idempotency").fetchall() == [("young",)]
