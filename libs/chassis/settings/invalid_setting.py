"""The error of all settings."""


class InvalidSetting(Exception):
    """A variable has an invalid value, or lacks another variable that belongs to it."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
