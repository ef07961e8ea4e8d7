"""Serve the console and the API at the same address (one-machine mode)."""

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask

from console.application import create_app
from console.settings import ConsoleSettings
from regcred.apiclient.over_httpx import in_process, over_http


def serve_mounted(api: Flask, settings: ConsoleSettings) -> None:
    """Add the console to the application of the API. It calls `api`, unless the settings have another URL."""
    transport_for = (
        over_http(settings.api_url, ca_file=settings.ca_file)
        if settings.api_url
        else in_process(api.wsgi_app)
    )
    api.wsgi_app = mounted(api, create_app(settings, transport_for))  # type: ignore[method-assign, assignment]


def mounted(api: Flask, console: Flask) -> WSGIApplication:
    """An application that dispatches requests by the first segment of the path.

    The console handles an unknown path if the request accepts HTML. Otherwise the API handles it. Both
    respond 404, in the format that the caller reads.
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
