"""An environment that cannot be worked with."""


class InvalidSetting(Exception):
    """A variable holds what it cannot mean; or two that belong together were not given together."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
