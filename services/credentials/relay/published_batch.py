"""Telemetry of a batch that is published: a log line, `relay_unconfirmed`, a span for each event."""

from time import perf_counter

from chassis.observability.metrics import UNCONFIRMED
from chassis.observability.tracing import Span, start_span, tracing_is_on
from eventlog.broker import PREFIX, OutgoingMessage
from eventlog.consumers import log_batch
from eventlog.topology import EXCHANGE


class PublishedBatch:
    """Telemetry of one batch. Several batches may be unconfirmed at a time.

    Call `publish` with each message before it is submitted, and `end` when the batch is confirmed or fails.
    """

    def __init__(self, first: int, last: int) -> None:
        self.last = last
        self._first = first
        self._started = perf_counter()
        self._spans: list[Span] = []
        UNCONFIRMED.inc(self._size)

    def end(self, error: str | None = None) -> None:
        """Record that the batch is confirmed, or that it failed with `error` and is published again."""
        UNCONFIRMED.dec(self._size)
        for span in self._spans:
            span.end(error)
        if error is None:
            log_batch("publishing", self._first, self.last, self._started)

    @property
    def _size(self) -> int:
        return self.last - self._first + 1

    def publish(self, message: OutgoingMessage) -> OutgoingMessage:
        """Return the message, after starting a span if its command was traced."""
        traceparent = message.headers.get(PREFIX + "traceparent") if tracing_is_on() else None
        if traceparent is not None:
            self._spans.append(_publish_span(message, traceparent))
        return message


def _publish_span(message: OutgoingMessage, traceparent: str) -> Span:
    return start_span(
        f"publish {EXCHANGE}",
        "producer",
        parent=traceparent,
        attributes={
            "messaging.system": "rabbitmq",
            "messaging.operation.name": "publish",
            "messaging.operation.type": "send",
            "messaging.destination.name": f"{EXCHANGE}:{message.routing_key}",
            "messaging.rabbitmq.destination.routing_key": message.routing_key,
            "messaging.message.id": message.message_id,
            "messaging.message.body.size": len(message.body),
        },
    )
