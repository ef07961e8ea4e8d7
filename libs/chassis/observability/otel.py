"""Spans of OpenTelemetry, sent as OTLP over HTTP. All variables `OTEL_…` of its SDK are supported."""

from contextvars import Token
from importlib.metadata import version
from typing import Any

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from chassis.observability.tracing import Attributes, Kind, Span

_KINDS = {
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}
_PROPAGATOR = TraceContextTextMapPropagator()


class OtelTracer:
    """A `tracing.Tracer` that sends spans in batches from a thread, the last batch when the process ends."""

    def __init__(self, service: str) -> None:
        named = Resource.create({"service.name": f"regcred-{service}", "service.version": version("regcred")})
        # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES take precedence.
        self._provider = TracerProvider(resource=named.merge(OTELResourceDetector().detect()))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("regcred", version("regcred"))

    def start(self, name: str, kind: Kind, parent: str | None, attributes: Attributes) -> Span:
        origin = _PROPAGATOR.extract({"traceparent": parent}, Context()) if parent else None
        links: list[Link] = []
        if origin is not None and kind == "consumer":
            links.append(Link(trace.get_current_span(origin).get_span_context()))
        return OtelSpan(
            self._tracer.start_span(
                name, context=origin, kind=_KINDS[kind], attributes=dict(attributes), links=links
            )
        )

    def current_traceparent(self) -> str | None:
        return _traceparent(trace.get_current_span())

    def shutdown(self) -> None:
        self._provider.shutdown()


class OtelSpan(Span):
    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self._token: Token[Context] | None = None
        self.traceparent = _traceparent(span)

    def attach(self) -> None:
        self._token = context.attach(trace.set_span_in_context(self._span))

    def detach(self) -> None:
        if self._token is not None:
            context.detach(self._token)
            self._token = None

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def set(self, attributes: Attributes) -> None:
        self._span.set_attributes(dict(attributes))

    def end(self, error: str | None = None) -> None:
        if error is not None:
            self._span.set_attribute("error.type", error)
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()


def _traceparent(span: trace.Span) -> str | None:
    known: Any = span.get_span_context()
    if not known.is_valid:
        return None
    return f"00-{known.trace_id:032x}-{known.span_id:016x}-{known.trace_flags:02x}"
