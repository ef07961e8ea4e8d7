"""The process of the verifier is stopped during slow logins: logins in flight are finished, others are left."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Semaphore

import psycopg
import pytest

from chassis.database import open_pool
from chassis.ids import new_id
from chassis.runtime.clock import now
from chassis.secret import Secret
from contracts.credential_events import Registry
from credentials.application.command_handler import CommandRequest
from credentials.application.credentials import Credentials
from credentials.postgres_store import PostgresCredentialStore
from eventlog.events import Actor
from eventlog.storage import read_log
from eventlog.storage.log import load_checkpoint
from projector.write.consumer import ReadModelConsumer
from registries.input.new_secret import NewSecret
from registries.logins.registry_login import RegistryLogin
from secretstore.encrypted_table import EncryptedStore
from secretstore.keyfile import KeyFile
from tests.support.builders import EVERYBODY, details
from tests.support.fake_registry import FakeServer, Reply, Seen
from tests.support.log import Connection, lead, relay_of, sequence_all
from tests.support.timing import PATIENCE, waiting

CREDENTIALS = 24
HOSTS = 3
SLOW_SECONDS = 0.6
AT_ONCE = HOSTS  # a host that was not tried lately gets one login, and more once it has responded


class Registries:
    """Registries that accept the first logins at once. Further logins wait for `go_on`, and a moment more."""

    def __init__(self) -> None:
        self.hosts = [FakeServer(self._respond) for _ in range(HOSTS)]
        self.go_on = Event()
        self._at_once = Semaphore(AT_ONCE)

    def logins(self) -> int:
        """How many have begun."""
        return sum(seen.authorization is not None for host in self.hosts for seen in host.seen)

    def _respond(self, seen: Seen) -> Reply:
        if seen.authorization is None:
            return Reply(401, (("WWW-Authenticate", 'Basic realm="slow"'),))
        if not self._at_once.acquire(blocking=False):
            self.go_on.wait(PATIENCE)
            time.sleep(SLOW_SECONDS)
        return Reply(200)


@pytest.fixture
def registries() -> Iterator[Registries]:
    made = Registries()
    with ExitStack() as servers:
        for host in made.hosts:
            servers.enter_context(host)
        yield made
        made.go_on.set()


def add_credentials(url: str, keys: KeyFile, hosts: list[FakeServer]) -> None:
    with open_pool(url, role="regcred_credentials", size=2) as pool:
        credentials = Credentials(
            PostgresCredentialStore(pool),
            EncryptedStore(pool, keys),
            secret_fingerprint=lambda _: "ab" * 16,
            new_id=new_id,
        )
        for number in range(CREDENTIALS):
            registry = Registry(provider="custom", host=hosts[number % HOSTS].address, location=None)
            login = RegistryLogin(username=f"user-{number}", password=Secret("pw"))
            credentials.add(
                CommandRequest(
                    account_id=f"acme-{number}",
                    actor=Actor(type="service", id="s", name="a service"),
                    now=now(),
                    request_id="r",
                ),
                NewSecret(registry=registry, kind="username_password", login=login),
                details(f"team-{number}"),
                EVERYBODY,
            )


@contextmanager
def verifier(url: str, key_file: Path, hosts: list[FakeServer]) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("REGCRED_")},
        "REGCRED_DATABASE_URL": url,
        "REGCRED_KEY_FILE": str(key_file),
        "REGCRED_VERIFIER_ALLOW": "127.0.0.0/8",
        "REGCRED_VERIFIER_ALLOW_HTTP": ",".join(host.address for host in hosts),
        "REGCRED_VERIFIER_CONCURRENCY": "24",
    }
    process = subprocess.Popen([sys.executable, "-m", "verifier"], env=environment, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def outcomes(connection: Connection) -> list[int]:
    """The number of outcomes of each credential."""
    rows = connection.execute(
        "SELECT count(*) FROM es.events WHERE type LIKE 'verification.%' GROUP BY stream_id"
    ).fetchall()
    return [count for (count,) in rows]


def test_a_stop_loses_no_verification_and_repeats_none(
    url: str, tmp_path: Path, registries: Registries
) -> None:
    hosts = registries.hosts
    key_file = tmp_path / "keys.json"
    add_credentials(url, KeyFile.create(key_file), hosts)
    with relay_of(url) as relay, psycopg.connect(url, autocommit=True) as owner:
        epoch = lead(relay)
        sequence_all(relay, epoch)
        with verifier(url, key_file, hosts) as process:
            waiting(lambda: registries.logins() > AT_ONCE, "a login is in flight")
            process.send_signal(signal.SIGTERM)
            registries.go_on.set()
            assert process.wait(PATIENCE) == 0
        finished = len(outcomes(owner))
        assert AT_ONCE < finished < CREDENTIALS
        assert finished == registries.logins()  # every login that was begun has its outcome
        with verifier(url, key_file, hosts):
            waiting(lambda: len(outcomes(owner)) == CREDENTIALS)
            end = sequence_all(relay, epoch)
            waiting(lambda: load_checkpoint(owner, "verifier") == end)
        assert outcomes(owner) == [1] * CREDENTIALS
        assert registries.logins() == CREDENTIALS  # not even a login was made twice

        models = ReadModelConsumer()
        with psycopg.connect(url, autocommit=True, options="-c role=regcred_projector") as projector:
            models.begin(0)
            assert models.handle(projector, read_log(projector, 0, 1000)) == end
        assert owner.execute(
            "SELECT count(*), count(DISTINCT credential_id) FROM rm.verifications"
        ).fetchone() == (CREDENTIALS, CREDENTIALS)
