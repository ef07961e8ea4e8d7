"""Log lines and spans of consumers: a line and a span per delivery, or a line per batch and a span per event.

A delivery is the handling of a single event, with all its attempts. A span belongs to the trace of the
command that caused the event. Spans are only created if traces are enabled.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

import structlog

from chassis.observability.tracing import Span, start_span, trace_id_of, tracing_is_on
from eventlog.events.codec import decode_metadata
from eventlog.events.envelope import Metadata, RecordedEvent, StoredEvent
from eventlog.events.errors import EventError

log = structlog.get_logger()

LOG = "es.log"  # the source of the events; queues only wake consumers


@dataclass(slots=True)
class DeliveryReport:
    """The facts about a delivery for its log line, which the consumer sets."""

    attempt: int = 0
    outcome: str = "handled"
    credential_id: str | None = None
    request_id: str | None = None
    correlation_id: str | None = None

    def about(self, event: RecordedEvent) -> None:
        """Set the credential that the event concerns, and the request that caused it."""
        credential_id = getattr(event.payload, "credential_id", None)
        self.credential_id = str(credential_id) if credential_id else None
        self.request_id = event.metadata.request_id
        self.correlation_id = event.metadata.correlation_id


@contextmanager
def reported_delivery(consumer: str, event: StoredEvent) -> Iterator[DeliveryReport]:
    """Log one delivery when it ends."""
    started = perf_counter()
    delivery = DeliveryReport()
    metadata = _metadata(event)
    traceparent = metadata.traceparent if metadata else None
    with process_span(consumer, event, traceparent) as span:
        try:
            yield delivery
        except BaseException as error:
            delivery.outcome = type(error).__name__
            raise
        finally:
            span.set({"regcred.outcome": delivery.outcome, "regcred.attempt": delivery.attempt})
            log.info(
                "delivery",
                consumer=consumer,
                position=event.position,
                type=event.type,
                credential_id=delivery.credential_id,
                attempt=delivery.attempt,
                outcome=delivery.outcome,
                ms=_ms_since(started),
                request_id=delivery.request_id,
                correlation_id=delivery.correlation_id,
                trace_id=trace_id_of(traceparent),
            )


@contextmanager
def reported_batch(consumer: str, events: Sequence[StoredEvent]) -> Iterator[None]:
    """Log a batch when it is committed. An empty or failed batch is not logged."""
    if not events:
        yield
        return
    started = perf_counter()
    spans = _spans(consumer, events) if tracing_is_on() else []
    try:
        yield
    except BaseException as error:
        for span in spans:
            span.end(type(error).__name__)
        raise
    for span in spans:
        span.end()
    log_batch(consumer, events[0].position or 0, events[-1].position or 0, started)


def log_batch(consumer: str, first: int, last: int, started: float) -> None:
    """Log a batch of consecutive positions. `started` is a value of `perf_counter`."""
    log.info(
        "batch", consumer=consumer, first=first, last=last, count=last - first + 1, ms=_ms_since(started)
    )


def process_span(consumer: str, event: StoredEvent, traceparent: str | None) -> Span:
    """Start the span of the handling of one event."""
    return start_span(
        f"process {LOG}",
        "consumer",
        parent=traceparent,
        attributes={
            "messaging.system": "postgresql",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": LOG,
            "messaging.consumer.group.name": consumer,
            "messaging.message.id": str(event.event_id),
            "regcred.event.type": event.type,
            "regcred.event.position": event.position or 0,
        },
    )


def _spans(consumer: str, events: Sequence[StoredEvent]) -> list[Span]:
    known = ((event, _metadata(event)) for event in events)
    return [
        process_span(consumer, event, metadata.traceparent)
        for event, metadata in known
        if metadata and metadata.traceparent
    ]


def _metadata(event: StoredEvent) -> Metadata | None:
    try:
        return decode_metadata(event.metadata)
    except EventError:
        return None


def _ms_since(started: float) -> float:
    return round((perf_counter() - started) * 1000, 1)
