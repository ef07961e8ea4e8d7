"""Parsers of numbers and durations in environment variables."""

import re
from collections.abc import Mapping
from datetime import timedelta

from chassis.settings.invalid_setting import InvalidSetting

_DURATION = re.compile(r"([1-9][0-9]{0,5})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def duration(text: str) -> timedelta | None:
    """Parse a duration such as `90s`, `30m`, `24h` or `7d`. `None` for any other text."""
    found = _DURATION.fullmatch(text)
    return timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else None


def number(environment: Mapping[str, str], name: str, default: str, *, least: float, most: float) -> float:
    """Read a number from a variable. Raises `InvalidSetting`."""
    try:
        found = float(environment.get(name) or default)
    except ValueError:
        found = float("nan")
    if not least <= found <= most:
        raise InvalidSetting(name, f"must be a number from {least:g} to {most:g}")
    return found


def whole_number(environment: Mapping[str, str], name: str, default: str, *, least: int, most: int) -> int:
    """Read an integer from a variable. Raises `InvalidSetting`."""
    text = environment.get(name) or default
    if not (text.isascii() and text.isdecimal() and least <= int(text) <= most):
        raise InvalidSetting(name, f"must be a whole number from {least} to {most}")
    return int(text)
