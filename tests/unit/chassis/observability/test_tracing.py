"""Traces are off unless the environment enables them."""

from threading import Thread

import pytest

from chassis.observability.tracing import (
    configure_tracing,
    current_traceparent,
    start_span,
    tracing_is_on,
    wants_tracing,
)
from chassis.settings.invalid_setting import InvalidSetting


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "x"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"REGCRED_TRACING": "1"}, True),
        ({"REGCRED_TRACING": "True"}, True),
        ({"REGCRED_TRACING": "off"}, False),
        ({"REGCRED_TRACING": "0", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, False),
        ({"REGCRED_TRACING": "", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"REGCRED_TRACING": "", "OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
    ],
)
def test_tracing_is_enabled_by_the_environment(environment: dict[str, str], wanted: bool) -> None:
    assert wants_tracing(environment) is wanted


@pytest.mark.parametrize("value", ["2", "y", "enabled"])
def test_another_value_is_refused(value: str) -> None:
    with pytest.raises(InvalidSetting, match=r"^REGCRED_TRACING: .* neither 1"):
        wants_tracing({"REGCRED_TRACING": value})


def test_spans_do_nothing_while_tracing_is_off() -> None:
    configure_tracing("test", {})
    assert not tracing_is_on()
    with start_span("a", "client", attributes={"b": 1}) as span:
        span.set({"c": 2})
        span.rename("d")
        assert span.traceparent is None
        assert current_traceparent() is None
    with pytest.raises(KeyError), start_span("a", "client"):
        raise KeyError


def test_a_new_thread_has_no_current_span() -> None:
    found: list[str | None] = []
    thread = Thread(target=lambda: found.append(current_traceparent()))
    thread.start()
    thread.join()
    assert found == [None]
