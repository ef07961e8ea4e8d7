"""Notices of expiries, as time passes."""

from dataclasses import replace
from datetime import datetime, timedelta

import jwt

from contracts.expiry_events import ExpiryApproached, ExpiryDiscovered, ExpiryPassed
from contracts.verdicts import VerificationCode as Code
from tests.integration.schedule.world import GOOD, World, bad

DAY = timedelta(days=1)


def days_pass(world: World, days: int) -> None:
    for _ in range(days * 2):
        world.pass_time(DAY / 2)
        world.tick()


def notices(world: World, credential: object) -> list[tuple[int, float]]:
    """The days of each notice, and how many days before the expiry it was sent."""
    found = []
    for event in world.recorded(credential):  # type: ignore[arg-type]
        if isinstance(event.payload, ExpiryApproached | ExpiryPassed):
            days = event.payload.days if isinstance(event.payload, ExpiryApproached) else 0
            found.append((days, (event.payload.expires_at - event.metadata.occurred_at) / DAY))
    return found


def test_notices_are_sent_thirty_seven_and_one_day_before_expiry_and_at_it(world: World) -> None:
    credential = world.add(expires_at=world.at + 40 * DAY)
    world.hear(credential)
    days_pass(world, 60)
    given = notices(world, credential)
    assert [days for days, _ in given] == [30, 7, 1, 0]
    assert all(days - 0.5 <= before <= days for days, before in given)


def test_a_near_expiry_is_noticed_at_once_and_once(world: World) -> None:
    credential = world.add(expires_at=world.at + 5 * DAY)
    world.hear(credential)
    world.tick()
    assert [days for days, _ in notices(world, credential)] == [7]
    days_pass(world, 2)
    assert [days for days, _ in notices(world, credential)] == [7]


def test_a_credential_is_verified_at_its_expiry(world: World) -> None:
    credential = world.add(expires_at=world.at + DAY / 2)
    world.hear(credential)
    world.tick()
    world.verdict = lambda _: bad(Code.EXPIRED)
    days_pass(world, 1)
    assert [event.type.split(".")[1] for event in world.recorded(credential)] == [
        "succeeded",
        "expiry_approached",
        "expiry_passed",
        "failed",
    ]


def test_a_new_secret_without_expiry_ends_the_notices(world: World) -> None:
    credential = world.add(expires_at=world.at + 3 * DAY)
    world.hear(credential)
    world.tick()
    world.rotate(credential)
    world.hear(credential)
    days_pass(world, 10)
    assert [days for days, _ in notices(world, credential)] == [7]  # the new secret has no expiry


def test_the_expiry_of_a_jwt_is_discovered(world: World) -> None:
    end = world.at + 20 * DAY
    token = jwt.encode({"exp": int(end.timestamp())}, "k" * 32, "HS256")
    credential = world.add(password=token)
    world.hear(credential)
    [found] = [
        event.payload for event in world.recorded(credential) if isinstance(event.payload, ExpiryDiscovered)
    ]
    assert found.expires_at == end
    days_pass(world, 25)
    assert [days for days, _ in notices(world, credential)] == [30, 7, 1, 0]
    assert world.types(credential).count("expiry_discovered") == 1


def test_the_earlier_of_two_expiries_counts(world: World) -> None:
    end = world.at + 2 * DAY
    token = jwt.encode({"exp": int(end.timestamp())}, "k" * 32, "HS256")
    credential = world.add(password=token, expires_at=world.at + 300 * DAY)
    world.hear(credential)
    world.tick()
    [(days, before)] = notices(world, credential)
    assert (days, before) == (7, 2)


def test_a_crash_after_a_notice_repeats_none(world: World) -> None:
    credential = world.add(expires_at=world.at + 5 * DAY)
    world.hear(credential)
    [ending] = world.table.notices_due(world.at, 10)
    world.notices.send()
    with world.pool.connection() as connection:  # as if it had not been stored
        connection.execute(
            "UPDATE verifier.schedule SET notice_at = %s, last_notice_days = NULL", (world.at,)
        )
    assert [again.credential_id for again in world.table.notices_due(world.at, 10)] == [ending.credential_id]
    world.notices.send()
    assert [days for days, _ in notices(world, credential)] == [7]


def test_an_accepted_login_after_the_expiry_is_no_failure(world: World) -> None:
    start: datetime = world.at
    credential = world.add(expires_at=start + DAY)
    world.hear(credential)
    world.verdict = lambda _: GOOD
    days_pass(world, 3)
    assert "failed" not in world.types(credential)


def test_a_discovered_expiry_is_stored(world: World) -> None:
    end = world.at + 20 * DAY
    world.verdict = lambda _: replace(GOOD, secret_expires_at=end)
    credential = world.add()
    world.hear(credential)
    assert world.row(credential, "secret_expires_at") == end
    world.verdict = lambda _: GOOD  # the provider was unreachable
    world.pass_time(timedelta(hours=30))
    world.tick()
    assert world.row(credential, "secret_expires_at") == end
    assert [days for days, _ in notices(world, credential)] == [30]
    assert world.types(credential).count("expiry_discovered") == 1
