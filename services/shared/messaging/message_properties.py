"""The properties of the relay's messages, in the bytes of AMQP."""

from functools import cache
from struct import Struct

import pika

from shared.messaging.cloudevents import CONTENT_TYPE, OutgoingMessage

_PERSISTENT = 2
_LONGEST_SHORT_STRING = 255  # bytes (AMQP 0-9-1, 4.2.5.3)
_LENGTH = Struct(">I").pack
_TIMESTAMP = Struct(">Q").pack
_P = pika.BasicProperties
_FLAGS = Struct(">H").pack(
    _P.FLAG_CONTENT_TYPE
    | _P.FLAG_HEADERS
    | _P.FLAG_DELIVERY_MODE
    | _P.FLAG_MESSAGE_ID
    | _P.FLAG_TIMESTAMP
    | _P.FLAG_TYPE
)


class MessageProperties(pika.BasicProperties):  # type: ignore[misc]  # pika has no types
    """pika's, but for `encode`: there are always the same properties, and headers whose values are texts.
    pika looks at each of them for what it could be, and takes twice as long.
    """

    def __init__(self, message: OutgoingMessage) -> None:
        super().__init__(
            content_type=CONTENT_TYPE,
            delivery_mode=_PERSISTENT,
            message_id=message.message_id,
            type=message.routing_key,
            timestamp=int(message.timestamp.timestamp()),
            headers=message.headers,
        )

    def encode(self) -> list[bytes]:
        """The property flags and the property list (AMQP 0-9-1, 4.2.6.1).

        Raises:
            ValueError: the name of a header, the message's id or its type has more than 255 bytes.
        """
        table = bytearray()
        for name, value in self.headers.items():
            text = value.encode()
            table += _field(name)
            table += _LENGTH(len(text))
            table += text
        return [
            _FLAGS,
            _short(self.content_type),
            _LENGTH(len(table)),
            bytes(table),
            bytes((self.delivery_mode,)),
            _short(self.message_id),
            _TIMESTAMP(self.timestamp),
            _short(self.type),
        ]


def _short(text: str) -> bytes:
    data = text.encode()
    if len(data) > _LONGEST_SHORT_STRING:
        raise ValueError("a short string of AMQP has at most 255 bytes")
    return bytes((len(data),)) + data


@cache  # there are fourteen (`cloudevents`)
def _field(name: str) -> bytes:
    """How a header begins whose value is a long string."""
    return _short(name) + b"S"
