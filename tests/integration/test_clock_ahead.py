"""A process whose clock is hours ahead deletes and announces nothing early."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from chassis.database import Connection, open_pool, scalar, server_time
from chassis.ids import new_id
from chassis.secret import Secret
from contracts.streams import verification_stream
from credentials.application.command_handler import CommandRequest
from credentials.application.credentials import Credentials
from credentials.postgres_store import PostgresCredentialStore
from eventlog.events import Actor
from operations.migrate.preparation import bind_keys
from registries.input.new_secret import NewSecret
from registries.logins.registry_login import RegistryLogin
from secretstore.encrypted_table import EncryptedStore
from secretstore.personal_keys import open_personal_keys
from tests.support.builders import EVERYBODY, GITHUB, details
from tests.support.postgres import migrated_database
from tests.support.secretstore_suite import a_path, put
from tests.support.timing import PATIENCE, waiting
from verifier.postgres_store import PostgresVerificationStore
from verifier.schedule.rows import ScheduleEntry
from verifier.schedule.table import ScheduleTable

AHEAD = timedelta(hours=30)
# Every module takes the time from `chassis.runtime.clock`.
_PROGRAM = """
import runpy, sys
from datetime import timedelta
from chassis.runtime import clock
right = clock.now
ahead = timedelta(seconds=float(sys.argv[1]))
clock.now = lambda: right() + ahead
sys.argv = sys.argv[2:]
runpy.run_module(sys.argv[0], run_name="__main__")
"""


@pytest.fixture
def url() -> Iterator[str]:
    with migrated_database() as url:
        yield url


@contextmanager
def running_ahead(home: Path, url: str, *module: str) -> Iterator[None]:
    """A service whose clock is ahead."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("REGCRED_")}
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(AHEAD.total_seconds()), *module],
        env={**others, "REGCRED_HOME": str(home), "REGCRED_DATABASE_URL": url, "REGCRED_METRICS_LISTEN": ""},
        stdin=subprocess.DEVNULL,
    )
    try:
        yield
        assert process.poll() is None
    finally:
        process.terminate()
        process.wait(PATIENCE)


def test_an_expiry_is_not_announced_before_its_time(url: str, tmp_path: Path) -> None:
    """The secret expires in three hours: the notice of one day is due, that of the expiry is not."""
    keys = bind_keys(tmp_path / "keys.json", url)
    personal = open_personal_keys(keys)
    with (
        psycopg.connect(url, autocommit=True) as connection,
        open_pool(url, role="regcred_credentials", size=2) as pool,
        open_pool(url, role="regcred_verifier", size=2) as verifier_pool,
    ):
        moment = server_time(connection)
        secrets = EncryptedStore(pool, keys)
        credentials = Credentials(
            PostgresCredentialStore(pool, personal),
            secrets,
            secret_fingerprint=keys.secret_fingerprint,
            new_id=new_id,
        )
        expires_at = moment + timedelta(hours=3)
        added = credentials.add(
            _request(moment), _secret(), details("soon", expires_at=expires_at), EVERYBODY
        )
        store = PostgresVerificationStore(verifier_pool, personal)
        entry = ScheduleEntry(
            credential_id=added.credential_id,
            stream_version=1,
            account_id="acme",
            provider=GITHUB.provider,
            registry_host=GITHUB.host,
            username="octo",
            secret_version=1,
            expires_at=expires_at,
            additional_hosts=[],
        )
        due_at = moment + timedelta(hours=20)
        ScheduleTable(verifier_pool).upsert(entry, due_at=due_at, now=moment)
        with running_ahead(tmp_path, url, "verifier"):
            found = waiting(lambda: store.newest(verification_stream(added.credential_id)))
            row = waiting(lambda: connection.execute(_NOTIFIED).fetchone())
    assert [event.type for event in found] == ["verification.expiry_approached"]
    assert found[0].metadata.occurred_at < expires_at
    assert row == (1, due_at)  # no login was due either


_NOTIFIED = "SELECT last_notice_days, due_at FROM verifier.schedule WHERE last_notice_days IS NOT NULL"


def test_the_relay_deletes_nothing_early(url: str, tmp_path: Path) -> None:
    keys = bind_keys(tmp_path / "keys.json", url)
    with (
        psycopg.connect(url, autocommit=True) as connection,
        open_pool(url, role="regcred_credentials", size=1) as pool,
    ):
        secrets, orphan = EncryptedStore(pool, keys), a_path("orphan")
        put(secrets, orphan, "one")
        connection.execute(
            "INSERT INTO es.idempotency (account_id, key, fingerprint, version, response)"
            " VALUES ('acme', 'young', '', 1, '{}')"
        )
        with running_ahead(tmp_path, url, "credentials", "relay"):
            waiting(lambda: _count(connection, "SELECT count(*) FROM credentials.unreferenced_secrets"))
        assert _count(connection, "SELECT count(*) FROM es.idempotency") == 1
        assert secrets.get(orphan, 1) == Secret("one")


def _count(connection: Connection, query: LiteralString) -> int:
    return int(scalar(connection, query))


def _request(moment: datetime) -> CommandRequest:
    actor = Actor(type="service", id="svc", name="a service")
    return CommandRequest(account_id="acme", actor=actor, now=moment, request_id="r")


def _secret() -> NewSecret:
    login = RegistryLogin(username="octo", password=Secret("pw"))
    return NewSecret(registry=GITHUB, kind="username_password", login=login)
