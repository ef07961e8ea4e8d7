"""Errors of the broker.

MessagingError
├── BrokerUnavailable    there is no connection, or it was lost; unconfirmed messages may have been published
└── MalformedMessage     a message has no position, so the relay did not send it
"""


class MessagingError(Exception):
    """The broker did not execute a request."""


class BrokerUnavailable(MessagingError):
    def __init__(self, reason: str) -> None:
        super().__init__(f"the broker is unavailable: {reason}")


class MalformedMessage(MessagingError):
    def __init__(self) -> None:
        super().__init__("the message has no position")
