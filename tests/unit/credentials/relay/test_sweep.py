"""What the sweep does with each version: decided from facts."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credentials.relay.sweep import (
    DELETED_FOR,
    SIGHTINGS_EXPIRE,
    UNREFERENCED_FOR,
    Action,
    Leftovers,
    Reference,
    Sighting,
    action,
    leftovers,
)
from secretstore.store import StoredVersion

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
HOUR, MOMENT = timedelta(hours=1), timedelta(microseconds=1)
PRESENT = StoredVersion(1, destroyed=False)
DESTROYED = StoredVersion(1, destroyed=True)


def seen(since: timedelta, last: timedelta = HOUR, discarded: timedelta | None = None) -> Sighting:
    return Sighting(NOW - since, NOW - last, None if discarded is None else NOW - discarded)


def unknown(sighting: Sighting | None) -> Action:
    return action(PRESENT, Reference.UNKNOWN, sighting, now=NOW)


def test_a_needed_version_stays_and_its_sightings_are_forgotten() -> None:
    assert action(PRESENT, Reference.NEEDED, None, now=NOW) is Action.KEEP
    for sighting in (seen(UNREFERENCED_FOR), seen(30 * UNREFERENCED_FOR, discarded=2 * DELETED_FOR)):
        assert action(PRESENT, Reference.NEEDED, sighting, now=NOW) is Action.CLEAR


def test_a_replaced_version_is_destroyed_at_once() -> None:
    assert action(PRESENT, Reference.REPLACED, None, now=NOW) is Action.DESTROY


def test_an_unknown_version_is_only_seen_at_first() -> None:
    assert unknown(None) is Action.SEE_FIRST


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        (HOUR, Action.SEE),
        (UNREFERENCED_FOR - MOMENT, Action.SEE),
        (UNREFERENCED_FOR, Action.DELETE),
        (-HOUR, Action.SEE),
    ],
)
def test_an_unknown_version_is_deleted_after_a_day(since: timedelta, expected: Action) -> None:
    assert unknown(seen(since)) is expected


def test_the_day_begins_again_after_a_time_without_sweeps() -> None:
    assert unknown(seen(UNREFERENCED_FOR, last=SIGHTINGS_EXPIRE)) is Action.DELETE
    assert unknown(seen(UNREFERENCED_FOR, last=SIGHTINGS_EXPIRE + MOMENT)) is Action.SEE_FIRST


def test_a_deleted_version_is_destroyed_a_week_later() -> None:
    assert unknown(seen(9 * UNREFERENCED_FOR, discarded=DELETED_FOR - MOMENT)) is Action.DELETE
    assert unknown(seen(9 * UNREFERENCED_FOR, discarded=DELETED_FOR)) is Action.DESTROY


@pytest.mark.parametrize("reference", Reference)
def test_nothing_is_done_with_a_destroyed_version(reference: Reference) -> None:
    assert action(DESTROYED, reference, None, now=NOW) is Action.KEEP


@given(st.sampled_from(Reference), st.timedeltas(timedelta(days=-20), timedelta(days=20)))
def test_no_version_is_deleted_without_an_earlier_sighting(reference: Reference, ago: timedelta) -> None:
    if reference is not Reference.REPLACED:
        assert action(PRESENT, reference, None, now=NOW - ago) in (Action.KEEP, Action.SEE_FIRST)


def test_a_version_that_is_deleted_already_is_not_deleted_again() -> None:
    decided = [
        (StoredVersion(1, destroyed=False, deleted=True), Action.DELETE),
        (StoredVersion(2, destroyed=False), Action.DELETE),
        (StoredVersion(3, destroyed=False), Action.DESTROY),
        (StoredVersion(4, destroyed=False), Action.SEE),
    ]
    assert leftovers(decided) == Leftovers(delete=(2,), destroy=(3,))
