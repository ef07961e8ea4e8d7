"""Sweeps: secrets to which no event refers are deleted, later and only then."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from structlog.testing import capture_logs

from chassis.secret import Secret
from credentials.relay.housekeeping import SWEEP_EVERY
from credentials.relay.sweep import UNREFERENCED_FOR
from secretstore.store import (
    SecretDestroyed,
    SecretStoreUnavailable,
)
from tests.integration.relay.housekeeping import REQUEST, Services, a_secret
from tests.support.log import scalar
from tests.support.secretstore_suite import a_path, put
from tests.support.timing import PATIENCE, waiting

_WAITING = "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = %s"


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
    services.credentials.rotations.rotate(REQUEST, path.credential_id, None, lambda _: a_secret("new"))
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


def test_the_secret_of_a_discarded_rotation_is_destroyed(services: Services) -> None:
    """Housekeeping destroys it at once; if that event became a dead letter, the sweep does."""
    path = services.added()
    rotate = services.credentials.rotations.rotate
    rotate(REQUEST, path.credential_id, None, lambda _: a_secret("wrong"), only_if_verified=True)
    services.sweep()
    assert services.readable(path) == [1, 2]
    rotate(REQUEST, path.credential_id, None, lambda _: a_secret("new"), grace=timedelta(hours=1))
    services.sweep()
    assert services.readable(path) == [1, 3]
    assert _sightings(services) == 0


def test_a_replaced_secret_is_destroyed_after_its_grace(services: Services) -> None:
    path = services.added()
    rotate = services.credentials.rotations.rotate
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
    services.credentials.rotations.rotate(
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
