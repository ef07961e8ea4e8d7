"""What may go wrong with the broker.

MessagingError
├── BrokerUnavailable    no connection, or it was lost: what was not confirmed is in doubt
├── PublishRefused       the broker sent a message back, or refused it: no queue is there to take it
└── MalformedMessage     a message without a position, which no relay of ours has sent
"""


class MessagingError(Exception):
    """Something that the broker could not do."""


class BrokerUnavailable(MessagingError):
    def __init__(self, reason: str) -> None:
        super().__init__(f"the broker is unavailable: {reason}")


class PublishRefused(MessagingError):
    def __init__(self, position: int) -> None:
        super().__init__(f"the broker did not take the message at position {position}")
        self.position = position


class MalformedMessage(MessagingError):
    def __init__(self) -> None:
        super().__init__("the message has no position")
