"""Each request of a browser: its id, its session, its way to the API, its line in the log."""

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
from console import csrf
from console.sessions import ConsoleSession, Sessions
from regcred.apiclient.client import ApiClient
from regcred.apiclient.over_httpx import TransportFor

log = structlog.get_logger()

REFERENCE = "reference"
USER_AGENT = "regcred-console"
_LOCAL = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")


class FormNotOurs(Exception):
    """A form without a good token: of another site, or of a browser whose cookie is gone."""


def install(
    app: Flask, sessions: Sessions, transport_for: TransportFor, clock: Callable[[], datetime]
) -> None:
    """Let every request in with what it needs, and log it when it leaves."""

    @app.before_request
    def enter() -> None:
        g.started = perf_counter()
        g.request_id = str(new_id())
        g.now = clock()
        g.session = sessions.find(cookie.get(REFERENCE), g.now)
        g.api = None
        g.transport_for = transport_for
        account = (request.view_args or {}).get("account")
        if account is not None and not is_platform_id(account):
            abort(404)

    @app.before_request
    def only_our_forms() -> None:
        signed_out = request.blueprint == "pages" and g.session is None
        if request.method != "POST" or signed_out:
            return
        if not csrf.is_ours(cookie, request.form.get(csrf.FIELD, "")):
            raise FormNotOurs

    @app.after_request
    def leave(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.request_id
        if request.endpoint != "static_file":
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
    def known_to_templates() -> dict[str, Any]:
        return {
            "account": (request.view_args or {}).get("account"),
            "now": g.now,
            "request_id": g.request_id,
            "signed_in": g.session is not None,
            "person": g.session.person if g.session else None,
            "csrf_field": _csrf_field,
            "link": link,
        }


def only_signed_in() -> AnyResponse | None:
    """Send who is not signed in to the page where one does, and back afterwards."""
    return None if g.session is not None else to_sign_in()


def to_sign_in() -> AnyResponse:
    """Where one signs in; it knows the way back to a page that was only looked at."""
    back = request.full_path.rstrip("?") if request.method == "GET" and not by_htmx() else None
    where = url_for("sign_in.sign_in_page", next=back if back != "/" else None)
    if by_htmx():
        return Response(status=204, headers={"HX-Redirect": where})
    return redirect(where, 303)


def session() -> ConsoleSession:
    """Who is signed in; only behind `only_signed_in`."""
    return cast("ConsoleSession", g.session)


def api() -> ApiClient:
    """The API for this request."""
    if g.api is None:
        held, account = session(), (request.view_args or {}).get("account", "")
        g.api = ApiClient(
            g.transport_for(request.remote_addr),
            token=held.token,
            user_agent=USER_AGENT,
            request_id=g.request_id,
            on_behalf_of=held.person,
            wait_for=held.wait_for(account, g.now),
            on_command=lambda position: held.remember(account, position, g.now),
        )
    return cast("ApiClient", g.api)


def by_htmx() -> bool:
    """Whether a part of a page is asked for, not the whole."""
    return request.headers.get("HX-Request") == "true"


def local(path: str | None) -> str | None:
    """The path, if it leads to a page of this console and nowhere else."""
    return path if path and _LOCAL.fullmatch(path) else None


def query_values(*names: str) -> dict[str, str]:
    """What the query string says of these names, without space around it and without what is empty."""
    found = {name: request.args.get(name, "").strip() for name in names}
    return {name: value for name, value in found.items() if value}


def link(**changes: str | None) -> str:
    """The address of this page with other filters; a cursor belongs to the old ones."""
    now = {name: value for name, value in request.args.items() if name != "cursor"}
    query = {name: value for name, value in {**now, **changes}.items() if value}
    return f"{request.path}?{urlencode(query)}" if query else request.path


def _csrf_field() -> Markup:
    field = Markup('<input type="hidden" name="{}" value="{}">')
    return field.format(csrf.FIELD, csrf.token(cookie))
