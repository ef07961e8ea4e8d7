"""Housekeeping on a real log and the real encrypted table, by the relay's own role."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
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
from credentials.application.command_handler import CommandRequest, RequestKey
from credentials.application.credentials import Credentials
from credentials.postgres_store import PostgresCredentialStore
from credentials.relay.housekeeping import CONSUMER, IDEMPOTENCY_KEY_AGE, SWEEP_EVERY, Housekeeping
from credentials.relay.sweep import UNREFERENCED_FOR
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
from tests.support.log import Connection, fresh_log, lead, relay_of, scalar, sequence
from tests.support.secretstore_suite import a_path, put
from tests.support.timing import PATIENCE, waiting

NOW = datetime.now(UTC)  # noqa: TID251 the rows of the encrypted table are as old as the database says
IDS = UUID("00000000-0000-0000-0000-00000000beef")
REQUEST = CommandRequest(
    account_id="acme", actor=Actor(type="service", id="svc", name="a service"), now=NOW, request_id="r-1"
)
_numbers = count(1)
_WAITING = "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = %s"


class Services:
    """The credentials service and the relay of one database."""

    def __init__(self, url: str, service: Pool, relay_pool: Pool, relay: Connection, keys: KeyFile) -> None:
        self.url, self.relay = url, relay
        self.secrets, self.relay_secrets = CallsAfterPut(service, keys), UnavailableAtTimes(relay_pool, keys)
        self.credentials = Credentials(
            PostgresCredentialStore(service),
            self.secrets,
            secret_fingerprint=lambda _: "ab" * 16,
            new_id=lambda: uuid5(IDS, str(next(_numbers))),
        )
        self.seconds = 0.0
        self.stop = Event()
        self.housekeeping = Housekeeping(
            self.relay_secrets,
            tiers=(timedelta(minutes=1),),
            stop=self.stop,
            monotonic=lambda: self.seconds,
        )
        self.epoch = lead(relay)

    def added(self) -> SecretPath:
        name = f"credential {next(_numbers)}"
        added = self.credentials.add(REQUEST, a_secret("old"), details(name), EVERYBODY)
        return SecretPath("acme", added.credential_id)

    def keyed_add(self, name: str) -> SecretPath:
        """Add a credential under an idempotency key that is its name."""
        request = replace(REQUEST, key=RequestKey(key=name, fingerprint=b"f" * 32))
        added = self.credentials.add(request, a_secret(f"of {name}"), details(name), EVERYBODY)
        return SecretPath("acme", added.credential_id)

    def secrets_unavailable(self) -> None:
        raise SecretStoreUnavailable("away")

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

    def sweep(self) -> None:
        """Handle events an hour later, with the sweep of that hour."""
        self.seconds += SWEEP_EVERY.total_seconds()
        self.take()

    def let_pass(self, time: timedelta) -> None:
        """Let the records of the sweeps be older by this time, with sweeps every hour."""
        with psycopg.connect(self.url) as superuser:
            superuser.execute(
                "UPDATE credentials.unreferenced_secrets"
                " SET first_seen = first_seen - %(time)s, discarded_at = discarded_at - %(time)s",
                {"time": time},
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


class CallsAfterPut(EncryptedStore):
    """The encrypted store, which calls `after_put` after the next write."""

    after_put: Callable[[], None] | None = None

    def put(self, path: SecretPath, secret: Secret, *, write_id: str, expected_version: int) -> int:
        version = super().put(path, secret, write_id=write_id, expected_version=expected_version)
        if call := self.after_put:
            self.after_put = None
            call()
        return version


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


def test_the_secret_of_a_failed_command_is_deleted_after_a_day(services: Services) -> None:
    orphan, other = a_path("orphan"), services.added()
    put(services.secrets, orphan, "one")
    services.sweep()
    services.let_pass(UNREFERENCED_FOR - timedelta(minutes=5))
    services.sweep()
    assert services.readable(orphan) == [1]
    services.let_pass(timedelta(minutes=5))
    services.sweep()
    assert services.readable(orphan) == []
    assert services.readable(other) == [1]


def test_the_version_of_a_failed_rotation_is_destroyed_and_the_current_one_stays(services: Services) -> None:
    path = services.added()
    services.secrets.put(path, Secret("never appended"), write_id="w", expected_version=1)
    services.sweep()
    services.let_pass(UNREFERENCED_FOR)
    services.sweep()
    assert services.readable(path) == [1]
    with pytest.raises(SecretDestroyed):
        services.secrets.get(path, 2)
    services.credentials.rotate(REQUEST, path.credential_id, None, lambda _: a_secret("new"))
    assert services.secrets.current_version(path) == 3
    assert services.readable(path) == [1, 3]


def test_a_changed_row_of_the_deciding_state_deletes_no_secret(services: Services) -> None:
    path = services.added()
    with psycopg.connect(services.url) as superuser:
        superuser.execute("UPDATE credentials.current SET secret_version = 7")
    for _ in range(2):
        services.sweep()
    services.let_pass(UNREFERENCED_FOR)
    services.sweep()
    services.secrets.get(path, 1)
    assert _sightings(services) == 0


def test_a_replaced_secret_is_destroyed_after_its_grace(services: Services) -> None:
    path = services.added()
    rotate = services.credentials.rotate
    rotate(REQUEST, path.credential_id, None, lambda _: a_secret("new"), grace=timedelta(hours=1))
    services.sweep()
    assert services.readable(path) == [1, 2]
    rotate(REQUEST, path.credential_id, None, lambda _: a_secret("newest"), grace=timedelta(seconds=0.1))

    def destroyed() -> bool:
        services.sweep()
        return services.readable(path) == [1, 3]

    waiting(destroyed)


def test_a_grace_does_not_depend_on_the_clock_of_the_service_that_rotates(services: Services) -> None:
    """Its clock is six hours behind, so that the grace of an hour has long passed by its times."""
    path = services.added()
    late = replace(REQUEST, now=REQUEST.now - timedelta(hours=6))
    services.credentials.rotate(
        late, path.credential_id, None, lambda _: a_secret("new"), grace=timedelta(hours=1)
    )
    services.sweep()
    assert services.readable(path) == [1, 2]


def test_a_repeated_command_does_not_refer_to_a_version_that_the_sweep_deletes(services: Services) -> None:
    """It finds the secret of its first attempt. Before its append, the sweep decides to delete that version."""
    services.secrets.after_put = services.secrets_unavailable
    with pytest.raises(SecretStoreUnavailable):
        services.keyed_add("again")
    [path] = services.secrets.paths()
    services.sweep()
    services.let_pass(UNREFERENCED_FOR)
    services.secrets.after_put = services.sweep
    assert services.keyed_add("again") == path
    [(version,)] = services.relay.execute("SELECT secret_version FROM credentials.current").fetchall()
    services.sweep()
    assert services.secrets.get(path, version) == a_secret("of again").login.to_secret()


def test_a_command_is_repeated_after_its_secret_was_deleted(services: Services) -> None:
    put(services.secrets, a_path("other"), "one")
    services.secrets.after_put = services.secrets_unavailable
    with pytest.raises(SecretStoreUnavailable):
        services.keyed_add("late")
    services.sweep()
    services.let_pass(UNREFERENCED_FOR)
    services.sweep()
    path = services.keyed_add("late")
    assert services.readable(path) == [2]


def test_the_sweep_waits_for_an_append_and_then_sees_its_event(services: Services) -> None:
    services.secrets.after_put = services.secrets_unavailable
    with pytest.raises(SecretStoreUnavailable):
        services.keyed_add("slow")
    [path] = services.secrets.paths()
    services.sweep()
    services.let_pass(UNREFERENCED_FOR)
    with (
        psycopg.connect(services.url) as blocker,
        psycopg.connect(services.url, autocommit=True) as admin,
        ThreadPoolExecutor(2) as threads,
    ):
        blocker.execute(
            "LOCK TABLE credentials.current IN SHARE MODE"
        )  # the last table that an append writes
        added = threads.submit(services.keyed_add, "slow")
        waiting(lambda: admin.execute(_WAITING, ("relation",)).fetchone())
        swept = threads.submit(services.sweep)
        waiting(lambda: admin.execute(_WAITING, ("advisory",)).fetchone())
        blocker.rollback()
        assert added.result(PATIENCE) == path
        swept.result(PATIENCE)
    assert services.readable(path) == [1]
    assert _sightings(services) == 0


def test_a_sweep_runs_once_an_hour(services: Services) -> None:
    services.take()
    orphan = a_path("hourly")
    put(services.secrets, orphan, "one")
    services.seconds = SWEEP_EVERY.total_seconds() - 1
    services.take()
    assert _sightings(services) == 0
    services.seconds += 1
    services.take()
    assert _sightings(services) == 1


def _sightings(services: Services) -> int:
    return int(scalar(services.relay, "SELECT count(*) FROM credentials.unreferenced_secrets"))


def test_a_sweep_that_the_database_interrupts_is_repeated_at_once(services: Services) -> None:
    put(services.secrets, a_path("interrupted"), "one")
    with psycopg.connect(services.url, autocommit=True) as admin:
        admin.execute("ALTER TABLE credentials.unreferenced_secrets RENAME TO away")
        try:
            with pytest.raises(psycopg.errors.UndefinedTable):
                services.take()
        finally:
            admin.execute("ALTER TABLE credentials.away RENAME TO unreferenced_secrets")
    services.take()
    assert _sightings(services) == 1


def test_a_sweep_is_postponed_and_blocks_nothing_while_the_store_is_unavailable(services: Services) -> None:
    path = services.added()
    orphan = a_path("put-off")
    put(services.secrets, orphan, "one")
    services.relay_secrets.unavailable = True
    with capture_logs() as logs:
        assert services.take() == 1
    assert "sweep_put_off" in [line["event"] for line in logs]
    services.relay_secrets.unavailable = False
    services.seconds += 60
    services.take()
    assert _sightings(services) == 1  # not an hour later
    assert services.readable(path) == [1]


def test_idempotency_keys_are_deleted_after_a_day(services: Services) -> None:
    with psycopg.connect(services.url) as superuser:
        for key, age in (
            ("old", IDEMPOTENCY_KEY_AGE + timedelta(seconds=1)),
            ("young", IDEMPOTENCY_KEY_AGE - timedelta(minutes=1)),
        ):
            superuser.execute(
                "INSERT INTO es.idempotency (account_id, key, fingerprint, version, response, created_at)"
                " VALUES ('acme', %s, '', 1, '{}', clock_timestamp() - %s)",
                (key, age),
            )
    services.take()
    assert services.relay.execute("SELECT key FROM es.idempotency").fetchall() == [("young",)]
