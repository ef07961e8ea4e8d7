"""The Flask application of the console."""

from collections.abc import Callable
from datetime import datetime
from secrets import token_bytes, token_urlsafe

from flask import Blueprint, Flask
from jinja2 import StrictUndefined

from chassis.runtime.clock import now
from console import assets, error_pages, recent_accounts, request_context, response_headers, sign_in, wording
from console.pages import (
    add,
    audit,
    credential_list,
    detail,
    edit,
    exposure,
    freeze,
    imports,
    overview,
    remove,
    resolution,
    restrict,
    roll_back,
    rotate,
    system,
    tokens,
)
from console.sessions import Sessions
from console.settings import ConsoleSettings
from regcred.apiclient.over_httpx import TransportFor

MAX_FORM_BYTES = 600 * 1024  # a key file has 3 KiB, a config.json with many hosts a few hundred KiB
_REFERENCE_BYTES = 32
_PAGES = (
    overview,
    credential_list,
    add,
    detail,
    edit,
    rotate,
    roll_back,
    restrict,
    freeze,
    remove,
    resolution,
    imports,
    audit,
    exposure,
    tokens,
    system,
)


def create_app(
    settings: ConsoleSettings, transport_for: TransportFor, *, clock: Callable[[], datetime] = now
) -> Flask:
    """The console for the API that `transport_for` connects to. It has the sessions in memory."""
    app = Flask("console", static_folder=None)
    app.url_map.merge_slashes = False  # by a redirect to the Host that the caller sent
    app.secret_key = token_bytes(32)  # not stored: the sessions end with the process as well
    app.config.update(
        SESSION_COOKIE_NAME="__Host-regcred" if settings.tls else "regcred",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_COOKIE_SECURE=settings.tls,
        MAX_CONTENT_LENGTH=MAX_FORM_BYTES,
        MAX_FORM_MEMORY_SIZE=MAX_FORM_BYTES,
    )
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    sessions = Sessions(lambda: token_urlsafe(_REFERENCE_BYTES))
    request_context.install(app, sessions, transport_for, clock)
    error_pages.install(app, sessions)
    response_headers.install(app, tls=settings.tls)
    recent_accounts.install(app)
    assets.install(app)
    wording.install(app)
    app.register_blueprint(sign_in.blueprint(sessions, settings.token_hint))
    app.register_blueprint(_pages())
    app.add_url_rule("/healthz", "healthz", lambda: {"status": "ok"})
    return app


def _pages() -> Blueprint:
    """The pages that require a session."""
    pages = Blueprint("pages", __name__)
    pages.before_request(request_context.require_session)
    for module in _PAGES:
        module.install(pages)
    return pages
