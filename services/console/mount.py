"""The console at `/` of the address where the API is (one-machine mode)."""

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask

from console.application import create_app
from console.settings import ConsoleSettings
from regcred.apiclient.over_httpx import in_process, over_http


def serve_mounted(api: Flask, settings: ConsoleSettings) -> None:
    """Have this application answer with the console, too; it asks `api` unless the settings name another."""
    transport_for = over_http(settings.api_url) if settings.api_url else in_process(api.wsgi_app)
    api.wsgi_app = mounted(api, create_app(settings, transport_for))  # type: ignore[method-assign, assignment]


def mounted(api: Flask, console: Flask) -> WSGIApplication:
    """The API's paths to the API, the console's to the console.

    What neither knows is the console's where a browser asks for a page, else the API's: each says 404 in the
    form that the caller reads.
    """
    api_wsgi, console_wsgi = api.wsgi_app, console.wsgi_app
    api_segments, console_segments = _first_segments(api), _first_segments(console)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        segment = environ.get("PATH_INFO", "/").split("/", 2)[1:2]
        if segment and segment[0] in api_segments:
            chosen = api_wsgi
        elif not segment or segment[0] in console_segments or _wants_page(environ):
            chosen = console_wsgi
        else:
            chosen = api_wsgi
        return chosen(environ, start_response)

    return application


def _first_segments(app: Flask) -> frozenset[str]:
    return frozenset(rule.rule.split("/", 2)[1] for rule in app.url_map.iter_rules())


def _wants_page(environ: WSGIEnvironment) -> bool:
    return "text/html" in environ.get("HTTP_ACCEPT", "")
