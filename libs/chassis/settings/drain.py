"""The setting REGCRED_DRAIN_SECONDS."""

from collections.abc import Mapping
from datetime import timedelta

from chassis.settings.quantities import whole_number

NAME = "REGCRED_DRAIN_SECONDS"
_MOST = 300


def drain(environment: Mapping[str, str]) -> timedelta:
    """How long a process that stops is not ready but handles requests. Raises `InvalidSetting`."""
    return timedelta(seconds=whole_number(environment, NAME, "0", least=0, most=_MOST))
