"""Spans, or nothing: traces are off unless the environment asks for them, and then cost nothing to speak of.

`observability.otel` makes real ones; it and OpenTelemetry are imported by `configure_tracing` only. Like the
configuration of logs, what is on is known to the whole process.
"""

import re
from collections.abc import Mapping
from types import TracebackType
from typing import Literal, Protocol, Self

Kind = Literal["server", "client", "producer", "consumer"]
Value = str | int | float | bool
Attributes = Mapping[str, Value]

_ASKS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "REGCRED_TRACING")
_NO = frozenset({"", "0", "off", "no", "false"})
_NONE: Attributes = {}
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")  # W3C Trace Context


class Span:
    """A span; this one is not recorded. As a context it is the current one of its thread and ends with it,
    failed if an error comes through. Without that: `attach`, `detach` and `end` it.
    """

    traceparent: str | None = None

    def attach(self) -> None:
        """Make it the current span of this thread."""

    def detach(self) -> None:
        """Give the place back to what was current before `attach`."""

    def rename(self, name: str) -> None: ...

    def set(self, attributes: Attributes) -> None: ...

    def end(self, error: str | None = None) -> None:
        """`error` is a kind (the name of a class, a code), never a message: those may quote anything."""

    def __enter__(self) -> Self:
        self.attach()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.detach()
        self.end(kind.__name__ if kind else None)


class Tracer(Protocol):
    def start(self, name: str, kind: Kind, parent: str | None, attributes: Attributes) -> Span: ...

    def current_traceparent(self) -> str | None: ...

    def shutdown(self) -> None: ...


class _State:
    tracer: Tracer | None = None


_OFF = Span()


def start_span(name: str, kind: Kind, *, parent: str | None = None, attributes: Attributes = _NONE) -> Span:
    """Begin a span: part of the trace of `parent` (a traceparent), else of the thread's current span. A
    consumer's is also linked to `parent`, as the messaging conventions want it.
    """
    if _State.tracer is None:
        return _OFF
    return _State.tracer.start(name, kind, parent, attributes)


def current_traceparent() -> str | None:
    """Of this thread's current span."""
    return _State.tracer.current_traceparent() if _State.tracer is not None else None


def tracing_is_on() -> bool:
    """Ask before preparing what only a span needs."""
    return _State.tracer is not None


def wants_tracing(environment: Mapping[str, str]) -> bool:
    """Whether the environment names a receiver of traces, or asks for them by `REGCRED_TRACING`, which can
    also say no.
    """
    if environment.get("REGCRED_TRACING", "1").lower() in _NO:
        return False
    return any(environment.get(name) for name in _ASKS)


def configure_tracing(service: str, environment: Mapping[str, str]) -> None:
    """Call it in each process that works, after any fork: spans are sent by a thread."""
    if wants_tracing(environment):
        from chassis.observability.otel import OtelTracer  # noqa: PLC0415 only where it is wanted

        _State.tracer = OtelTracer(service)


def stop_tracing() -> None:
    """Send what is left, and be off. A process that ends does so by itself."""
    if _State.tracer is not None:
        _State.tracer.shutdown()
        _State.tracer = None


def valid_traceparent(text: str | None) -> str | None:
    """The header as it came, `None` for one that means nothing (ids of zeros are invalid by the standard)."""
    found = _TRACEPARENT.fullmatch(text or "")
    if found is None or not int(found[1], 16) or not int(found[2], 16):
        return None
    return text


def trace_id_of(traceparent: str | None) -> str | None:
    """The id of its trace, 32 hexadecimal digits."""
    return traceparent.split("-")[1] if traceparent else None
