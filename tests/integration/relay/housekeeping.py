"""The credentials service and the relay of one database, with stores that fail on request."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from threading import Event
from uuid import UUID, uuid5

import psycopg

from chassis.database import Pool
from chassis.secret import Secret
from credentials.application.command_handler import CommandRequest, RequestKey
from credentials.application.credentials import Credentials
from credentials.postgres_store import PostgresCredentialStore
from credentials.relay.housekeeping import CONSUMER, SWEEP_EVERY, Housekeeping
from eventlog.events import Actor
from eventlog.storage import read_log
from eventlog.storage.log import load_checkpoint
from registries.input.new_secret import NewSecret
from registries.logins.registry_login import RegistryLogin
from secretstore.encrypted_table import EncryptedStore
from secretstore.keyfile import KeyFile
from secretstore.store import (
    SecretPath,
    SecretStoreUnavailable,
)
from tests.support.builders import EVERYBODY, GITHUB, details
from tests.support.log import Connection, lead, sequence_all
from tests.support.timing import PATIENCE

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
        end = sequence_all(self.relay, self.epoch)
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
