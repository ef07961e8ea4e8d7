"""Housekeeping: secrets of removed credentials and old idempotency keys."""

from datetime import timedelta
from threading import Event, Thread

import psycopg
import pytest

from credentials.relay.housekeeping import CONSUMER, IDEMPOTENCY_KEY_AGE
from eventlog.consumers import Notifications, follow
from eventlog.storage.log import load_checkpoint
from secretstore.store import (
    SecretMissing,
)
from tests.integration.relay.housekeeping import REQUEST, Services, a_secret
from tests.support.log import sequence
from tests.support.timing import PATIENCE, waiting


def test_the_secret_of_a_removed_credential_is_destroyed_and_others_stay(services: Services) -> None:
    removed, other = services.added(), services.added()
    services.remove(removed)
    assert services.take() == 3
    with pytest.raises(SecretMissing):
        services.secrets.get(removed, 1)
    assert services.readable(other) == [1]
    assert services.take() == 3
    assert load_checkpoint(services.relay, CONSUMER) == 3


def test_the_secret_of_a_discarded_rotation_is_destroyed_and_the_current_one_stays(
    services: Services,
) -> None:
    path = services.added()
    rotate = services.credentials.rotations.rotate
    rotate(REQUEST, path.credential_id, None, lambda _: a_secret("wrong"), only_if_verified=True)
    services.take()
    services.sweep()
    assert services.readable(path) == [1, 2], "it is needed until it is verified"
    rotate(REQUEST, path.credential_id, None, lambda _: a_secret("right"))
    services.take()
    waiting(lambda: services.readable(path) == [1, 3])


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
    with psycopg.connect(services.url) as superuser:
        assert superuser.execute("SELECT key FROM es.idempotency").fetchall() == [("young",)]
