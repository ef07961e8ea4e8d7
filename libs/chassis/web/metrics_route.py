"""`GET /metrics`, which names no account (`docs/http.md`, "Authentication and scopes")."""

from flask import Flask, Response, request

from chassis.authentication.tokens import TokenScope
from chassis.observability.exposition import Exposition
from chassis.web import authentication


def install(app: Flask, expose: Exposition) -> None:
    """Serve the metrics in the format that the scraper accepts."""

    @app.get("/metrics")
    @authentication.requires(TokenScope.METRICS_READ)
    def metrics() -> Response:
        text, content_type = expose(request.headers.get("Accept", ""))
        return Response(text, content_type=content_type)
