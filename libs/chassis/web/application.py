"""The Flask application of one or more APIs."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from flask import Flask, Response, request
from flask_smorest import Api

from chassis.observability.exposition import Exposition
from chassis.runtime.readiness import Check, readiness
from chassis.web import (
    authentication,
    deprecation,
    docs,
    interface,
    limits,
    metrics_route,
    openapi,
    problems,
    query_parameters,
    request_telemetry,
)
from chassis.web.blueprint import Blueprint
from chassis.web.responses import json_response

MAX_BODY_BYTES = 1024 * 1024


def create_app(
    blueprints: Sequence[Blueprint],
    *,
    authenticate: authentication.Authenticate,
    checks: Mapping[str, Check],
    expose: Exposition | None = None,
    refused: authentication.Refused | None = None,
    limited: limits.Limits | None = None,
) -> Flask:
    """An application with these blueprints, health, readiness and documentation.

    `checks` are the readiness checks, by the names in the response. `expose` renders the metrics. `refused`
    gets each request that an authenticated caller has no right to. `limited` limits accounts and tokens.
    """
    app = Flask(__name__, static_folder=None)
    app.url_map.merge_slashes = False  # by a redirect to the Host that the caller sent
    app.config.update(
        API_TITLE="regcred",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        API_SPEC_OPTIONS={
            "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
            "security": [{"token": []}],
        },
    )
    api = Api(app)
    for blueprint in blueprints:
        api.register_blueprint(blueprint)
    problems.install(app)
    limits.install(app, limited)
    _operations(app, checks)
    docs.install(app, interface.document)
    app.extensions[openapi.EXTENSION] = api.spec
    if expose is not None:
        metrics_route.install(app, expose)
    request_telemetry.install(app)  # before authentication, so that refused requests are logged
    authentication.install(app, authenticate, refused)
    query_parameters.install(app)
    deprecation.install(app)
    return app


def _operations(app: Flask, checks: Mapping[str, Check]) -> None:
    @app.get("/healthz")
    @authentication.public
    def healthz() -> Response:
        return json_response({"status": "ok"})

    @app.get("/readyz")
    @authentication.public
    def readyz() -> Response:
        status, document = readiness(checks, exclude=request.args.getlist("exclude"))
        headers = {} if status is HTTPStatus.OK else {"Retry-After": "2"}
        return json_response(document, status, headers)
