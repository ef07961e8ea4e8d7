"""The current time. No other module reads the clock of the machine."""

from datetime import UTC, datetime

# A day at each end of the calendar of Python is not used, so that a time can be converted to any time zone.
FIRST_MOMENT = datetime(1, 1, 2, tzinfo=UTC)
LAST_MOMENT = datetime(9999, 12, 30, tzinfo=UTC)


def now() -> datetime:
    """The current time in UTC, to the microsecond."""
    return datetime.now(UTC)  # noqa: TID251 this is the place that the rule points to


def in_utc(moment: datetime) -> datetime:
    """A time of a caller, which has a time zone, in UTC.

    Raises:
        ValueError: it is not between `FIRST_MOMENT` and `LAST_MOMENT`.
    """
    try:
        converted = moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time is outside the calendar") from None
    if not FIRST_MOMENT <= converted <= LAST_MOMENT:
        raise ValueError("the time is outside the calendar")
    return converted


def rfc3339(moment: datetime) -> str:
    """A time in the form of all responses: RFC 3339, in UTC, with `Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
