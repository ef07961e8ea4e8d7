"""Scheduled verifications: when they happen, and which of their outcomes are recorded."""

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise

import psycopg
import pytest

from contracts.streams import credential_stream
from contracts.verdicts import VerificationCode as Code
from eventlog.storage import EventStoreUnavailable
from registries.protocol.login import Verdict
from tests.integration.schedule.world import GOOD, INTERVAL, World, bad
from verifier.schedule.rows import HeldLogin

HOUR = timedelta(hours=1)


def answering(*verdicts: Verdict) -> Callable[[str], Verdict]:
    """These verdicts one after the other, and then the last one."""
    left = list(verdicts)
    return lambda _host: left.pop(0) if len(left) > 1 else left[0]


def test_a_credential_is_verified_again_after_about_a_day(world: World) -> None:
    credential = world.add()
    assert world.hear(credential) == ["verified"]
    due = world.due_in(credential)
    assert due is not None
    assert INTERVAL * 0.9 <= due <= INTERVAL * 1.1
    world.pass_time(due - HOUR)
    world.tick()
    assert len(world.logins) == 1
    world.pass_time(HOUR)
    world.tick()
    assert len(world.logins) == 2
    assert world.types(credential) == ["succeeded", "succeeded"]
    [_, again] = world.recorded(credential)
    assert getattr(again.payload, "trigger", None) == "scheduled"
    assert again.metadata.actor.id == "verifier"


def test_credentials_added_at_once_are_due_at_different_times(world: World) -> None:
    credentials = [world.add(f"reg-{number}.example") for number in range(40)]
    world.hear(*credentials)
    due = sorted(wait for one in credentials if (wait := world.due_in(one)) is not None)
    assert due[-1] - due[0] > INTERVAL * 0.1


def test_an_unchanged_outcome_is_recorded_once_a_day_and_a_changed_one_at_once(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    object.__setattr__(world.handler, "interval", 2 * HOUR)
    credential = world.add()
    world.hear(credential)
    for _ in range(24):
        world.pass_time(2.5 * HOUR)
        world.tick()
    assert len(world.logins) == 25
    assert world.types(credential) == ["succeeded"] * 4  # 20 hours apart at least, in 60 hours
    world.verdict = lambda _: bad(Code.MISSING_SCOPE)
    world.pass_time(2.5 * HOUR)
    world.tick()
    world.verdict = lambda _: GOOD
    world.pass_time(2.5 * HOUR)
    world.tick()
    assert world.types(credential)[4:] == ["failed", "succeeded", "recovered"]


def test_retries_of_an_unreachable_host_begin_soon_and_slow_down(world: World) -> None:
    world.verdict = lambda _: bad(Code.UNREACHABLE)
    credential = world.add()
    world.hear(credential)
    waits = []
    for _ in range(12):
        due = world.due_in(credential)
        assert due is not None
        waits.append(due / timedelta(minutes=5))
        world.pass_time(max(due, timedelta(minutes=5, seconds=1)))
        world.tick()
    assert waits[0] == pytest.approx(1, rel=0.11)
    assert all(later >= earlier * 1.5 for earlier, later in pairwise(waits[:8]))
    assert max(waits) <= 1.1 * INTERVAL / timedelta(minutes=5)
    elapsed = sum(waits) * timedelta(minutes=5)
    assert world.types(credential).count("failed") <= 1 + elapsed / (20 * HOUR)


def test_a_refused_secret_is_not_scheduled(world: World) -> None:
    world.verdict = lambda _: bad(Code.BAD_CREDENTIAL)
    credential = world.add()
    world.hear(credential)
    assert world.due_in(credential) is None
    world.pass_time(timedelta(days=60))
    world.tick()
    assert len(world.logins) == 1
    world.verdict = lambda _: GOOD
    world.rotate(credential)
    assert world.hear(credential) == ["verified"]
    assert world.due_in(credential) is not None
    assert world.types(credential) == ["failed", "succeeded", "recovered"]


def test_a_refusal_of_a_scheduled_login_ends_the_schedule(world: World) -> None:
    credential = world.add()
    world.hear(credential)
    world.verdict = lambda _: bad(Code.EXPIRED)
    world.pass_time(INTERVAL * 1.2)
    world.tick()
    world.pass_time(timedelta(days=30))
    world.tick()
    assert len(world.logins) == 2
    assert world.types(credential) == ["succeeded", "failed"]


def test_an_outcome_of_an_old_secret_is_not_recorded(world: World) -> None:
    credential = world.add()
    world.hear(credential)
    world.pass_time(INTERVAL * 1.2)

    def rotated_meanwhile(_host: str) -> Verdict:
        world.rotate(credential)
        return bad(Code.BAD_CREDENTIAL)

    world.verdict = rotated_meanwhile
    world.tick()
    assert world.types(credential) == ["succeeded"]
    assert world.due_in(credential) is not None  # the new secret's own


def test_a_removed_credential_leaves_the_schedule(world: World) -> None:
    credential = world.add()
    world.hear(credential)
    world.credentials.remove(world.request(), credential, None, reason=None, forced=False)
    world.pass_time(INTERVAL * 1.2)
    world.secrets.remove(next(world.secrets.paths()))
    world.tick()  # before the event has come
    assert world.types(credential) == ["succeeded"]
    assert world.hear(credential) == ["superseded"]
    with world.pool.connection() as connection:
        assert connection.execute("SELECT count(*) FROM verifier.schedule").fetchone() == (0,)


def test_events_in_any_order_leave_the_latest_state(world: World) -> None:
    credential = world.add()
    world.rotate(credential)
    first, second = world.store.credential(credential_stream(credential))
    assert world.handler.handle(second, world.bulkhead) == "verified"
    assert world.handler.handle(first, world.bulkhead) == "superseded"
    assert world.row(credential, "secret_version") == 2
    assert world.handler.handle(second, world.bulkhead) == "repeated"


def test_a_login_is_repeated_after_the_lease_of_a_crash(world: World) -> None:
    credential = world.add()
    world.hear(credential)
    world.pass_time(INTERVAL * 1.2)
    assert [due.credential_id for due in world.table.claim(world.at, 10)] == [
        credential
    ]  # then the process is killed
    world.tick()
    assert len(world.logins) == 1
    world.pass_time(timedelta(minutes=3))
    world.tick()
    assert len(world.logins) == 2


def test_a_login_with_an_exception_is_postponed_and_others_continue(world: World) -> None:
    broken, fine = world.add("broken.example"), world.add("fine.example")
    world.hear(broken, fine)
    world.pass_time(INTERVAL * 1.2)

    def verdict(host: str) -> Verdict:
        if host == "broken.example":
            raise RuntimeError("nobody thought of this")
        return GOOD

    world.verdict = verdict
    world.tick()
    assert world.types(fine) == ["succeeded", "succeeded"]
    assert world.types(broken) == ["succeeded"]
    due = world.due_in(broken)
    assert due is not None
    assert timedelta(minutes=14) < due < timedelta(minutes=16)


def test_an_unavailable_database_leaves_no_slot_taken(world: World, database_url: str) -> None:
    """Slots that were reserved for claims stayed taken after a failure, and no login was tried."""
    credential = world.add()
    world.hear(credential)
    world.pass_time(INTERVAL * 1.2)
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute("ALTER TABLE verifier.postponed RENAME TO away")
        try:
            for _ in range(3):
                with pytest.raises(psycopg.errors.UndefinedTable):
                    world.scheduler.tick()
        finally:
            admin.execute("ALTER TABLE verifier.away RENAME TO postponed")
    world.tick()
    assert world.types(credential) == ["succeeded", "succeeded"]


def test_an_outcome_that_cannot_be_stored_is_stored_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the hold after a refused login would be lost, and the login repeated."""
    credential = world.add()
    world.hear(credential)
    world.pass_time(INTERVAL * 1.2)
    world.verdict = lambda _host: bad(Code.BAD_CREDENTIAL)

    def unavailable(*_: object) -> None:
        raise EventStoreUnavailable

    with monkeypatch.context() as outage:
        outage.setattr(world.table, "settle", unavailable)
        with pytest.raises(EventStoreUnavailable):
            world.tick()
    world.tick()
    assert len(world.logins) == 2  # the first one, and the one whose outcome was stored later
    assert world.due_in(credential) is None  # a refused secret is not scheduled
    assert world.holds.hold_on(HeldLogin.of("reg.example", "octo", world.account), world.at) is not None


def test_credentials_wait_for_free_slots(world: World) -> None:
    credentials = [world.add(user=f"user-{number}") for number in range(7)]
    world.hear(*credentials)
    world.pass_time(INTERVAL * 1.2)
    for _ in range(4):  # of a host that was not tried lately one, and then two at a time
        world.tick()
    assert [world.types(one) for one in credentials] == [["succeeded"] * 2] * 7
