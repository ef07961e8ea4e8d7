"""`GET /metrics` for any good token: nothing but health and documentation is open (design, section 4)."""

from flask import Flask, Response, request

from shared.observability.exposition import Exposition
from shared.web import door


def install(app: Flask, expose: Exposition) -> None:
    """Serve what `expose` gives, in the format that the scraper asks for."""

    @app.get("/metrics")
    @door.requires(None)
    def metrics() -> Response:
        text, content_type = expose(request.headers.get("Accept", ""))
        return Response(text, content_type=content_type)
