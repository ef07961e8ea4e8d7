"""Each request writes one line and two metrics, whatever its result is."""

from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from flask import Flask, Response
from flask.testing import FlaskClient
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from chassis.authentication.tokens import Principal, TokenScope
from chassis.web import authentication as door
from chassis.web import metrics_route, problems, request_telemetry

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
FIELDS = {
    "event",
    "log_level",
    "method",
    "route",
    "status",
    "ms",
    "request_id",
    "principal",
    "account_id",
    "problem",
    "bytes",
    "trace_id",
}
ADA = Principal(
    id="token-1",
    name="a test",
    scopes=frozenset({TokenScope.CREDENTIALS_READ}),
    accounts=frozenset({"acme"}),
    projects=None,
)
PROMETHEUS = Principal(
    id="token-2",
    name="prometheus",
    scopes=frozenset({TokenScope.METRICS_READ}),
    accounts=None,
    projects=None,
)


@pytest.fixture(autouse=True)
def _as_nothing_was_configured() -> Iterator[None]:
    """Reset the log configuration, which suppresses the lines of health checks once it was made."""
    configured = structlog.get_config()
    structlog.reset_defaults()
    yield
    structlog.configure(**configured)


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    app = Flask("test", static_folder=None)

    @app.get("/v1/accounts/<account_id>/things")
    @door.requires(TokenScope.CREDENTIALS_READ)
    def things(account_id: str) -> Response:
        return Response("canary-body", content_type="text/plain")

    @app.get("/v1/accounts/<account_id>/stream")
    @door.requires(TokenScope.CREDENTIALS_READ)
    def stream(account_id: str) -> Response:
        def chunks() -> Iterator[bytes]:
            yield b"12345"
            yield b"6789"

        return Response(chunks())

    @app.get("/broken")
    @door.public
    def broken() -> Response:
        raise RuntimeError("canary-error")

    @app.get("/healthz")
    @door.public
    def healthz() -> Response:
        return Response("{}")

    problems.install(app)
    metrics_route.install(app, lambda accepted: (b"metrics for " + accepted.encode(), "text/plain"))
    request_telemetry.install(app)
    door.install(app, {"good": ADA, "metrics": PROMETHEUS}.get)
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = "Bearer good"
    return client


def request_line(client: FlaskClient, path: str, method: str = "GET", **options: Any) -> dict[str, Any]:
    with capture_logs() as lines:
        client.open(path, method=method, buffered=True, **options)
    assert "canary" not in str([line for line in lines if line["event"] == "request"])
    [line] = [line for line in lines if line["event"] == "request"]
    assert set(line) == FIELDS
    assert line["ms"] >= 0
    return dict(line)


def test_a_successful_request_writes_one_line(client: FlaskClient) -> None:
    headers = {"X-Request-Id": "req-1", "traceparent": TRACEPARENT, "X-Other": "canary-header"}
    line = request_line(client, "/v1/accounts/acme/things?name=canary-query", headers=headers)
    assert line | {"ms": 0.0} == {
        "event": "request",
        "log_level": "info",
        "method": "GET",
        "route": "/v1/accounts/<account_id>/things",
        "status": 200,
        "ms": 0.0,
        "request_id": "req-1",
        "principal": "token-1",
        "account_id": "acme",
        "problem": None,
        "bytes": len("canary-body"),
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
    }


def test_an_unauthenticated_or_forbidden_request_writes_its_problem(client: FlaskClient) -> None:
    headers = {"Authorization": "Bearer canary-token"}
    line = request_line(client, "/v1/accounts/acme/things", headers=headers)
    assert (line["status"], line["problem"]) == (401, "unauthenticated")
    assert (line["principal"], line["trace_id"]) == (None, None)
    assert line["bytes"] > 100
    assert line["request_id"]
    forbidden = request_line(client, "/v1/accounts/other/things")
    assert (forbidden["problem"], forbidden["principal"]) == ("account_forbidden", "token-1")


def test_a_request_for_an_unknown_path_writes_no_route(client: FlaskClient) -> None:
    line = request_line(client, "/canary-path?token=canary-query")
    assert (line["route"], line["status"], line["problem"]) == (None, 404, "not_found")
    assert request_line(client, "/broken", "POST")["status"] == 405


def test_an_unhandled_exception_writes_status_500(client: FlaskClient) -> None:
    line = request_line(client, "/broken")
    assert (line["status"], line["problem"]) == (500, "internal_error")


def test_a_streamed_response_writes_its_line_at_its_end(client: FlaskClient) -> None:
    with capture_logs() as lines:
        answer = client.get("/v1/accounts/acme/stream")
        assert lines == []
        assert answer.data == b"123456789"
        answer.close()
    [line] = lines
    assert (line["event"], line["bytes"]) == ("request", 9)


def test_health_checks_are_written_at_level_debug(client: FlaskClient) -> None:
    assert request_line(client, "/healthz")["log_level"] == "debug"


def test_metrics_need_a_token_for_them(client: FlaskClient) -> None:
    headers = {"Accept": "x/y", "Authorization": "Bearer metrics"}
    assert client.get("/metrics", headers=headers).data == b"metrics for x/y"
    assert client.get("/metrics").status_code == 403
    assert client.get("/metrics", headers={"Authorization": ""}).status_code == 401


def labels_of_requests() -> list[dict[str, str]]:
    families = [family for family in REGISTRY.collect() if family.name.startswith("http_request")]
    assert {family.name for family in families} >= {"http_requests", "http_request_seconds"}
    return [sample.labels for family in families for sample in family.samples]


def test_labels_of_metrics_have_a_limited_number_of_values(client: FlaskClient) -> None:
    before = labels_of_requests()  # of other tests in this process
    for number in range(20):
        client.get(f"/nothing-{number}")
        client.open("/broken", method=f"ODD{number}")
        client.get(f"/v1/accounts/account-{number}/things")
    labels = [label for label in labels_of_requests() if label not in before]
    text = str(labels)
    assert "nothing-" not in text
    assert "ODD" not in text
    assert "account-" not in text
    assert {label["method"] for label in labels} <= {"GET", "POST", "(other)"}
    assert {label["route"] for label in labels} <= {
        "(none)",
        "/healthz",
        "/metrics",
        "/broken",
        "/v1/accounts/<account_id>/things",
        "/v1/accounts/<account_id>/stream",
    }
    count = REGISTRY.get_sample_value(
        "http_requests_total",
        {"method": "GET", "route": "/v1/accounts/<account_id>/things", "status": "403"},
    )
    assert count is not None
    assert count >= 20
