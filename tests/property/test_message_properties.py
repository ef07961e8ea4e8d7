"""What we write of a message's properties is, byte for byte, what pika writes."""

from datetime import UTC, datetime

import pika
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.messaging.cloudevents import OutgoingMessage
from shared.messaging.message_properties import MessageProperties

short_strings = st.text(max_size=63)  # 252 bytes at most
messages = st.builds(
    OutgoingMessage,
    position=st.just(1),
    routing_key=short_strings,
    message_id=short_strings,
    headers=st.dictionaries(short_strings, st.text(max_size=400), max_size=16),
    body=st.just(b""),
    timestamp=st.integers(0, 2**33).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
)


@given(messages)
def test_as_pika_writes_them(message: OutgoingMessage) -> None:
    expected = pika.BasicProperties(
        content_type="application/json",
        delivery_mode=2,
        message_id=message.message_id,
        type=message.routing_key,
        timestamp=int(message.timestamp.timestamp()),
        headers=dict(message.headers),
    )
    written = b"".join(MessageProperties(message).encode())
    assert written == b"".join(expected.encode())
    assert pika.BasicProperties().decode(written) == expected


@pytest.mark.parametrize(
    "changed", [{"headers": {"n" * 256: ""}}, {"message_id": "é" * 128}, {"routing_key": "k" * 256}]
)
def test_what_is_too_long_for_a_short_string_is_refused(changed: dict[str, object]) -> None:
    good: dict[str, object] = {"routing_key": "k", "message_id": "m", "headers": {}}
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    message = OutgoingMessage(position=1, body=b"", timestamp=moment, **good | changed)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="255 bytes"):
        MessageProperties(message).encode()
