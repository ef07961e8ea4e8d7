"""The current time. No other module reads the clock of the machine."""

from datetime import UTC, datetime


def now() -> datetime:
    """The current time in UTC, to the microsecond."""
    return datetime.now(UTC)  # noqa: TID251 this is the place that the rule points to


def rfc3339(moment: datetime) -> str:
    """A time in the form of all responses: RFC 3339, in UTC, with `Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
