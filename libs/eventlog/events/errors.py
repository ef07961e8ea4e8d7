"""Errors of events.

EventError
├── UnknownEvent     no class is registered for this (name, version)
└── MalformedEvent   the stored data does not fit the class
"""


class EventError(Exception):
    """An event that this program cannot encode or decode."""


class UnknownEvent(EventError):
    def __init__(self, name: str, version: int) -> None:
        super().__init__(f"no event {name} version {version} is registered")
        self.name = name
        self.version = version


class MalformedEvent(EventError):
    def __init__(self, name: str, version: int, reason: str) -> None:
        super().__init__(f"the data of an event {name} version {version} does not fit: {reason}")
        self.name = name
        self.version = version
