"""A log line, two metrics and a span for each request, without its body, query string and headers."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import structlog
from flask import Flask, Response, g, request

from chassis.observability.metrics import HTTP_REQUESTS, HTTP_SECONDS
from chassis.observability.tracing import Span, start_span, trace_id_of, valid_traceparent

log = structlog.get_logger()

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

QUIET = frozenset({"/healthz", "/readyz", "/metrics"})  # requested every few seconds, so logged as debug


@dataclass(slots=True, kw_only=True)
class _RequestTelemetry:
    started: float
    span: Span
    body_bytes: int = 0


def install(app: Flask) -> None:
    """Measure every request. Install it before hooks that may refuse a request.

    It sets `g.traceparent`, the traceparent for effects of the request: that of the span, or of the caller.
    """

    @app.before_request
    def _begin() -> None:
        started = perf_counter()
        caller = valid_traceparent(request.headers.get("traceparent"))
        span = start_span(
            request.method,
            "server",
            parent=caller,
            attributes={"http.request.method": request.method, "url.scheme": request.scheme},
        )
        span.attach()
        g.telemetry = _RequestTelemetry(started=started, span=span)
        g.traceparent = span.traceparent or caller

    @app.after_request
    def _end(response: Response) -> Response:
        telemetry: _RequestTelemetry = g.telemetry
        facts = _facts()

        def finish() -> None:
            _emit(telemetry, facts, response.status_code)

        if response.is_streamed:
            response.response = _counted(response.response, telemetry)
            response.call_on_close(finish)
        else:
            telemetry.body_bytes = response.calculate_content_length() or 0
            finish()
        return response

    @app.teardown_request
    def _detach(_error: BaseException | None) -> None:
        structlog.contextvars.unbind_contextvars("request_id")
        telemetry = g.get("telemetry")
        if telemetry is not None:
            telemetry.span.detach()


def _facts() -> dict[str, Any]:
    caller = g.get("principal")
    return {
        "method": request.method,
        "route": request.url_rule.rule if request.url_rule else None,
        "request_id": g.get("request_id"),
        "principal": caller.id if caller else None,
        "account_id": (request.view_args or {}).get("account_id"),
        "problem": g.get("problem_code"),
        "trace_id": trace_id_of(g.traceparent),
    }


def _emit(telemetry: _RequestTelemetry, facts: dict[str, Any], status: int) -> None:
    seconds = perf_counter() - telemetry.started
    method, route = facts["method"], facts["route"]
    # All unknown methods are one series, and so are all unknown paths: the number of labels is limited.
    labels = (method if method in _METHODS else "(other)", route or "(none)")
    HTTP_REQUESTS.labels(*labels, str(status)).inc()
    HTTP_SECONDS.labels(*labels, f"{status // 100}xx").observe(seconds)
    write = log.debug if route in QUIET else log.info
    write("request", **facts, status=status, bytes=telemetry.body_bytes, ms=round(seconds * 1000, 1))
    telemetry.span.rename(f"{method} {route}" if route else method)
    telemetry.span.set(
        {
            "http.response.status_code": status,
            "http.response.body.size": telemetry.body_bytes,
            "regcred.request_id": facts["request_id"] or "",
            **({"http.route": route} if route else {}),
        }
    )
    telemetry.span.end(facts["problem"] or str(status) if status >= 500 else None)  # noqa: PLR2004 a server's fault


def _counted(chunks: Iterable[Any], telemetry: _RequestTelemetry) -> Iterator[Any]:
    for chunk in chunks:
        telemetry.body_bytes += len(chunk)
        yield chunk
