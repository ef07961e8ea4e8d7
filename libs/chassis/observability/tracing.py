"""Starts spans, or does nothing: traces are off unless the environment enables them.

`observability.otel` creates real spans. Only `configure_tracing` imports it and OpenTelemetry, so traces that
are off cost almost nothing. As with logs, the configuration is global in the process.
"""

import re
from collections.abc import Mapping
from types import TracebackType
from typing import Literal, Protocol, Self

from chassis.settings.invalid_setting import InvalidSetting

Kind = Literal["server", "client", "producer", "consumer"]
Value = str | int | float | bool
Attributes = Mapping[str, Value]

SETTING = "REGCRED_TRACING"
_ENABLING = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", SETTING)
_ON_VALUES = frozenset({"1", "on", "yes", "true"})
_OFF_VALUES = frozenset({"0", "off", "no", "false"})
_NONE: Attributes = {}
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")  # W3C Trace Context


class Span:
    """A span. This class does not record it.

    As a context manager it is the current span of the thread, and ends with the block, as failed if an
    exception leaves the block. Otherwise call `attach`, `detach` and `end`.
    """

    traceparent: str | None = None

    def attach(self) -> None:
        """Make it the current span of this thread."""

    def detach(self) -> None:
        """Make the span current again that was current before `attach`."""

    def rename(self, name: str) -> None: ...

    def set(self, attributes: Attributes) -> None: ...

    def end(self, error: str | None = None) -> None:
        """End the span.

        `error` is the name of a class or a code, and not a message, which may quote secrets.
        """

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
    """Start a span in the trace of `parent` (a traceparent), or of the current span of the thread.

    A span of kind `consumer` is also linked to `parent`, as the messaging conventions of OpenTelemetry
    require.
    """
    if _State.tracer is None:
        return _OFF
    return _State.tracer.start(name, kind, parent, attributes)


def current_traceparent() -> str | None:
    """The traceparent of the current span of this thread."""
    return _State.tracer.current_traceparent() if _State.tracer is not None else None


def tracing_is_on() -> bool:
    """Whether spans are recorded. Check it before computing values that only a span needs."""
    return _State.tracer is not None


def wants_tracing(environment: Mapping[str, str]) -> bool:
    """Whether the environment turns tracing on.

    It does so by naming a receiver of traces or by `REGCRED_TRACING`, which can also turn tracing off. Raises
    `InvalidSetting`.
    """
    chosen = environment.get(SETTING, "").lower()
    if chosen in _OFF_VALUES:
        return False
    if chosen not in {"", *_ON_VALUES}:
        raise InvalidSetting(SETTING, f"{chosen!r} is neither 1 (on) nor 0 (off)")
    return any(environment.get(name) for name in _ENABLING)


def configure_tracing(service: str, environment: Mapping[str, str]) -> None:
    """Enable traces if the environment does. Call it after a fork, because a thread sends the spans.

    Raises `InvalidSetting`.
    """
    if wants_tracing(environment):
        from chassis.observability.otel import OtelTracer  # noqa: PLC0415 only if traces are on

        _State.tracer = OtelTracer(service)


def stop_tracing() -> None:
    """Send the remaining spans and disable traces. At the exit of a process the SDK sends them itself."""
    if _State.tracer is not None:
        _State.tracer.shutdown()
        _State.tracer = None


def valid_traceparent(text: str | None) -> str | None:
    """The header, or `None` if it is invalid. W3C Trace Context defines ids of zeros as invalid."""
    found = _TRACEPARENT.fullmatch(text or "")
    if found is None or not int(found[1], 16) or not int(found[2], 16):
        return None
    return text


def trace_id_of(traceparent: str | None) -> str | None:
    """The trace id of a traceparent, 32 hexadecimal digits."""
    return traceparent.split("-")[1] if traceparent else None
