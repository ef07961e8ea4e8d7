"""Times on the command line: RFC 3339, or a duration such as `24h`, counted from now."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import click

_DURATION = re.compile(r"(?:[0-9]{1,9}[smhdw])+")
_PART = re.compile(r"([0-9]+)([smhdw])")
_F = TypeVar("_F", bound=Callable[..., Any])
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def parse_duration(text: str) -> timedelta | None:
    """Parse `90s`, `15m`, `24h`, `7d`, `2w` or several of them in a row. Return `None` for other texts."""
    if not _DURATION.fullmatch(text):
        return None
    return timedelta(seconds=sum(int(count) * _SECONDS[unit] for count, unit in _PART.findall(text)))


def parse_moment(text: str, *, at: datetime, direction: int) -> str:
    """Return a time in the format of the API. A duration is added to `at` (`direction` 1) or subtracted (-1).

    Raises:
        ValueError: `text` is neither RFC 3339 nor a duration.
    """
    try:
        duration = parse_duration(text)
        if duration is not None:
            return _rfc3339(at + direction * duration)
    except OverflowError:
        raise ValueError(f"{text} from now is outside the calendar (years 1 to 9999)") from None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is neither RFC 3339 (2026-01-31T12:00:00Z) nor a duration (24h, 7d)"
        ) from None
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone: add Z or an offset such as +01:00")
    try:
        return _rfc3339(moment)
    except OverflowError:
        raise ValueError(f"{text!r} is outside the calendar (years 1 to 9999)") from None


def moment_option(flag: str, parameter: str, *, ago: bool, text: str) -> Callable[[_F], _F]:
    """An option for a time. With `ago`, a duration counts into the past, otherwise into the future."""
    direction = -1 if ago else 1

    def convert(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            return parse_moment(value, at=_now(), direction=direction)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None

    return click.option(flag, parameter, metavar="WHEN", callback=convert, help=text)


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 the client does not import the clock of the services


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
