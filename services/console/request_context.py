"""The context of a request: its id, its session, the client of the API, CSRF check and log line."""

import re
from collections.abc import Callable
from datetime import datetime
from time import perf_counter
from typing import Any, cast
from urllib.parse import urlencode

import structlog
from flask import Flask, Response, abort, g, redirect, request, url_for
from flask import session as cookie
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from chassis.ids import is_platform_id, new_id
from chassis.web.callers import LEARN
from console import csrf
from console.sessions import ConsoleSession, Sessions
from regcred.apiclient.client import ApiClient
from regcred.apiclient.over_httpx import TransportFor

log = structlog.get_logger()

REFERENCE = "reference"
USER_AGENT = "regcred-console"
_QUIET = frozenset({"static_file", "healthz"})  # endpoints that are not logged
_LOCAL_PATH = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")


class InvalidCsrfToken(Exception):
    """A form has no valid CSRF token. It is from another site or session, or the cookie is missing."""


def install(
    app: Flask, sessions: Sessions, transport_for: TransportFor, clock: Callable[[], datetime]
) -> None:
    """Set the context of every request, check the CSRF token of forms, and log the request."""

    @app.before_request
    def begin() -> None:
        g.started = perf_counter()
        g.request_id = str(new_id())
        g.now = clock()
        reference = cookie.get(REFERENCE)
        g.session = sessions.find(reference, g.now)
        if LEARN in request.environ:
            # The requests of a session count together, whatever else its cookies and headers say.
            session = frozenset({f"session {reference}"})
            request.environ[LEARN](is_valid=g.session is not None, accounts=session)
        g.api = None
        g.transport_for = transport_for
        account = (request.view_args or {}).get("account")
        if account is not None and not is_platform_id(account):
            abort(404)

    @app.before_request
    def check_csrf_token() -> None:
        signed_out = request.blueprint == "pages" and g.session is None  # redirected to the sign-in page
        if request.method != "POST" or signed_out:
            return
        if not csrf.is_valid(cookie, request.form.get(csrf.FIELD, "")):
            raise InvalidCsrfToken

    @app.after_request
    def finish(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.request_id
        if request.endpoint not in _QUIET:
            log.info(
                "page",
                method=request.method,
                route=request.url_rule.rule if request.url_rule else None,
                status=response.status_code,
                ms=round((perf_counter() - g.started) * 1000, 1),
                user_agent=USER_AGENT,
                request_id=g.request_id,
                account_id=(request.view_args or {}).get("account"),
            )
        return response

    @app.context_processor
    def template_variables() -> dict[str, Any]:
        return {
            "account": (request.view_args or {}).get("account"),
            "now": g.now,
            "request_id": g.request_id,
            "signed_in": g.session is not None,
            "person": g.session.person if g.session else None,
            "csrf_field": _csrf_field,
            "link": link,
        }


def require_session() -> AnyResponse | None:
    """Redirect a request without a session to the sign-in page."""
    return None if g.session is not None else redirect_to_sign_in()


def redirect_to_sign_in() -> AnyResponse:
    """Redirect to the sign-in page, which redirects back to the requested page."""
    back = request.full_path.rstrip("?") if request.method == "GET" and not is_htmx_request() else None
    where = url_for("sign_in.sign_in_page", next=back if back != "/" else None)
    if is_htmx_request():
        return Response(status=204, headers={"HX-Redirect": where})
    return redirect(where, 303)


def session() -> ConsoleSession:
    """The session of this request. Call it only where `require_session` applies."""
    return cast("ConsoleSession", g.session)


def api() -> ApiClient:
    """The client of the API for this request."""
    if g.api is None:
        current, account = session(), (request.view_args or {}).get("account", "")
        g.api = ApiClient(
            g.transport_for(request.remote_addr),
            token=current.token,
            user_agent=USER_AGENT,
            request_id=g.request_id,
            on_behalf_of=current.person,
            wait_for=current.wait_for(account, g.now),
            on_command=lambda position: current.remember_position(account, position, g.now),
        )
    return cast("ApiClient", g.api)


def is_htmx_request() -> bool:
    """Whether htmx requests a part of a page."""
    return request.headers.get("HX-Request") == "true"


def local_path(path: str | None) -> str | None:
    """The path if it is a path of this site, or `None`. It prevents redirects to other sites."""
    return path if path and _LOCAL_PATH.fullmatch(path) else None


def query_values(*names: str) -> dict[str, str]:
    """The values of these query parameters, stripped. Empty ones are omitted."""
    found = {name: request.args.get(name, "").strip() for name in names}
    return {name: value for name, value in found.items() if value}


def link(**changes: str | None) -> str:
    """The URL of this page with changed filters, without the cursor, which belongs to the old ones."""
    current = {name: value for name, value in request.args.items() if name != "cursor"}
    query = {name: value for name, value in {**current, **changes}.items() if value}
    return f"{request.path}?{urlencode(query)}" if query else request.path


def _csrf_field() -> Markup:
    field = Markup('<input type="hidden" name="{}" value="{}">')
    return field.format(csrf.FIELD, csrf.token(cookie))
