"""Pages to sign in with a service token, to sign out, and to choose an account."""

from http import HTTPStatus

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask import session as cookie
from werkzeug.wrappers import Response

from chassis.ids import is_platform_id
from chassis.secret import Secret
from console import recent_accounts
from console.request_context import REFERENCE, USER_AGENT, local_path, require_session
from console.sessions import Sessions
from regcred.apiclient.client import ApiClient
from regcred.apiclient.errors import ApiError

MAX_TOKEN = 16 * 1024
MAX_PERSON = 255
_INVALID = "This token is not valid. Check that you pasted the whole token, and that it has not expired."


def blueprint(sessions: Sessions, token_hint: str | None) -> Blueprint:
    """The pages. Only the choice of an account requires a session."""
    routes = Blueprint("sign_in", __name__)

    @routes.get("/sign-in")
    def sign_in_page() -> Response | str:
        if g.session is not None:
            return redirect(_next())
        return _page("")

    @routes.post("/sign-in")
    def sign_in() -> Response | tuple[str, int]:
        text, person = request.form.get("token", "").strip(), request.form.get("person", "").strip()
        # RFC 6750 section 2.1: b64token. Other characters are not possible in the header.
        if not text or len(text) > MAX_TOKEN or not text.isascii() or not text.isprintable() or " " in text:
            return _page("Paste the whole token, as one line without spaces."), 422
        if person and (len(person) > MAX_PERSON or not person.isascii() or not person.isprintable()):
            return _page("The name can have up to 255 ASCII characters."), 422
        token = Secret(text)
        client = ApiClient(
            g.transport_for(request.remote_addr),
            token=token,
            user_agent=USER_AGENT,
            request_id=g.request_id,
        )
        try:
            client.get("/v1/providers")  # every valid token is allowed to do this
        except ApiError as problem:
            refused = problem.status == HTTPStatus.UNAUTHORIZED
            return _page(_INVALID if refused else problem.detail), 422 if refused else problem.status
        sessions.end(cookie.get(REFERENCE))
        cookie.clear()  # prevents session fixation
        cookie[REFERENCE] = sessions.begin(token, person or None, g.now)
        return redirect(_next(), 303)

    @routes.post("/sign-out")
    def sign_out() -> Response:
        sessions.end(cookie.get(REFERENCE))
        cookie.clear()
        flash("You are signed out.")
        response = redirect(url_for("sign_in.sign_in_page"), 303)
        response.headers["Clear-Site-Data"] = '"cache"'  # pages that the browser keeps for its back button
        return response

    @routes.get("/")
    def choose_account() -> Response | str | tuple[str, int]:
        sign_in_first = require_session()
        if sign_in_first is not None:
            return sign_in_first
        name = request.args.get("account", "").strip()
        if is_platform_id(name):
            return redirect(url_for("pages.show_overview", account=name), 303)
        page = render_template("accounts.html", recent=recent_accounts.recent(), wrong=name)
        return (page, 422) if name else page

    def _page(wrong: str) -> str:
        return render_template(
            "sign_in.html",
            wrong=wrong,
            token_hint=token_hint,
            person=request.form.get("person", ""),
            next=_next(),
        )

    return routes


def _next() -> str:
    return local_path(request.values.get("next")) or url_for("sign_in.choose_account")
