from datetime import UTC, datetime, timedelta

import pytest

from regcred.cli.moments import parse_duration, parse_moment

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("24h", timedelta(hours=24)),
        ("7d", timedelta(days=7)),
        ("2w", timedelta(weeks=2)),
        ("1d12h", timedelta(hours=36)),
        ("0s", timedelta()),
        ("", None),
        ("7", None),
        ("d", None),
        ("-1d", None),
        ("1.5h", None),
        ("1D", None),
        ("7d ", None),
    ],
)
def test_durations_are_parsed(text: str, expected: timedelta | None) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    ("text", "direction", "expected"),
    [
        ("1d", 1, "2026-02-01T12:00:00Z"),
        ("1d", -1, "2026-01-30T12:00:00Z"),
        ("2026-03-01T00:00:00Z", -1, "2026-03-01T00:00:00Z"),
        ("2026-03-01T01:30:00+01:30", 1, "2026-03-01T00:00:00Z"),
        ("2026-03-01 00:00:00+00:00", 1, "2026-03-01T00:00:00Z"),
    ],
)
def test_times_are_parsed(text: str, direction: int, expected: str) -> None:
    assert parse_moment(text, at=AT, direction=direction) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("yesterday", "neither RFC 3339"),
        ("2026-03-01T00:00:00", "no time zone"),
        ("2026-03-01", "no time zone"),
        ("2026-13-01T00:00:00Z", "neither RFC 3339"),
        ("999999w", "outside the calendar"),
        ("9999-12-31T23:59:59-14:00", "outside the calendar"),
        ("0001-01-01T00:00:00+14:00", "outside the calendar"),
        ("999999999w", "outside the calendar"),
    ],
)
def test_an_invalid_time_is_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_moment(text, at=AT, direction=1)
