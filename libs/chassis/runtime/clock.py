"""The only place that asks what time it is."""

from datetime import UTC, datetime


def now() -> datetime:
    """This moment, in UTC, to the microsecond."""
    return datetime.now(UTC)  # noqa: TID251 this is the place that the rule points to


def rfc3339(moment: datetime) -> str:
    """A moment as every answer writes it: RFC 3339, in UTC, with `Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
