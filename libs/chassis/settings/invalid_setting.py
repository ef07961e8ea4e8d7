"""The error of all settings."""

from chassis.runtime.cannot_start import CannotStart


class InvalidSetting(CannotStart):
    """A variable has an invalid value, or lacks another variable that belongs to it."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
