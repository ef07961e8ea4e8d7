"""Errors of events.

EventError
├── UnknownEvent         no class is registered for this (name, version)
├── MalformedEvent       the stored data does not fit the class
└── PersonalKeyMissing   the key file of this process lacks the key for its personal data
"""

from chassis.runtime.unavailable import Unavailable


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


class PersonalKeyMissing(EventError, Unavailable):
    """A key of personal data was wrapped with a key that the key file of this process does not have.

    While a new key file replaces another one, processes with the older one run until they are restarted.
    """

    code = "key_missing"
    sentence = "this process has an older key file and must be restarted with the newer one"

    def __init__(self) -> None:
        super().__init__("its personal data needs a key that is not in the key file of this process")
