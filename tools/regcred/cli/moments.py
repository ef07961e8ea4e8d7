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
    """`90s`, `15m`, `24h`, `7d`, `2w`, and several such in a row; `None` where it is no duration."""
    if not _DURATION.fullmatch(text):
        return None
    return timedelta(seconds=sum(int(count) * _SECONDS[unit] for count, unit in _PART.findall(text)))


def parse_moment(text: str, *, at: datetime, direction: int) -> str:
    """A moment as the API takes it. `direction`: 1 if a duration counts into the future, -1 into the past.

    Raises:
        ValueError: it is neither; the message says what is missing.
    """
    try:
        duration = parse_duration(text)
        if duration is not None:
            return _rfc3339(at + direction * duration)
    except OverflowError:
        raise ValueError(f"{text} from now is no date that calendars have") from None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is neither RFC 3339 (2026-01-31T12:00:00Z) nor a duration (24h, 7d)"
        ) from None
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone: end it in Z, or in an offset such as +01:00")
    return _rfc3339(moment)


def moment_option(flag: str, parameter: str, *, ago: bool, text: str) -> Callable[[_F], _F]:
    """An option for a moment; a duration counts into the past (`ago`) or the future."""
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
    return datetime.now(UTC)  # noqa: TID251 the services' clock is not here: the client stands alone


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
