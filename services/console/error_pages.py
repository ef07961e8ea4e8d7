"""Error pages: each has an explanation, advice, the error code, and the id of the request."""

from http import HTTPStatus

import structlog
from flask import Flask, Response, flash, g, render_template
from flask import session as cookie
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from console.request_context import REFERENCE, InvalidCsrfToken, is_htmx_request, redirect_to_sign_in
from console.sessions import Sessions
from regcred.apiclient.errors import ApiError, ApiProblem

log = structlog.get_logger()

_HEADINGS = {
    "credential_not_found": "There is no such credential",
    "invalid_request": "A value cannot be accepted",
    "insufficient_scope": "Your token lacks the required scope",
    "account_forbidden": "Your token does not cover this",
    "project_forbidden": "Your token is limited to projects",
    "read_model_behind": "Saved, but not visible yet",
    "stale_version": "Changed in the meantime",
    "no_answer": "The API does not respond",
    "answer_lost": "The response of the API was lost",
    "unexpected_answer": "The response is not from regcred",
}
_ADVICE = {
    "credential_not_found": "It may have been removed. The audit log still has its history.",
    "insufficient_scope": "Sign in with a token that has the scope, or ask an administrator for one.",
    "account_forbidden": "Choose an account of your token, or sign in with a token for all accounts.",
    "project_forbidden": "Sign in with a token that is not limited to projects.",
    "read_model_behind": "Your change is saved and will be shown in a moment. Reload this page.",
    "no_answer": "Check that the API is running and that REGCRED_API_URL is correct.",
}
_ADVICE_BY_STATUS = {
    403: "You are not allowed to do this.",
    404: "Check the address, or go to the credentials of the account.",
    413: "The file or text is too large.",
    429: "Wait a moment, then try again.",
    503: "Reload this page in a moment.",
    500: "Report the request id to the operator of regcred.",
}


def install(app: Flask, sessions: Sessions) -> None:
    """Register error handlers that respond with a page."""

    @app.errorhandler(ApiError)
    def _problem(problem: ApiError) -> AnyResponse:
        if problem.status == HTTPStatus.UNAUTHORIZED:
            sessions.end(cookie.get(REFERENCE))
            cookie.clear()
            flash("Your token is no longer valid. Sign in again.")
            return redirect_to_sign_in()
        response = _page(problem.status, problem.code, _detail(problem))
        if problem.retry_after is not None:
            response.headers["Retry-After"] = str(problem.retry_after)
        return response

    @app.errorhandler(InvalidCsrfToken)
    def _invalid_csrf_token(_error: InvalidCsrfToken) -> Response:
        detail = (
            "The form is from another session, or the cookie of this session is missing. Reload the page."
        )
        return _page(403, "form_not_ours", detail)

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        status = HTTPStatus(error.code or 500)
        return _page(status, status.name.lower(), "")

    @app.errorhandler(Exception)
    def _unexpected(error: Exception) -> Response:
        log.error("page_failed", error=type(error).__name__, request_id=g.get("request_id"), exc_info=error)
        return _page(500, "internal_error", "An unexpected error occurred in the console.")


def _detail(problem: ApiError) -> str:
    """The detail of a problem, or of each wrong value: a filter in the URL has no form that could show it."""
    errors = problem.errors if isinstance(problem, ApiProblem) else ()
    return "; ".join(f"{error.pointer.lstrip('/')}: {error.detail}" for error in errors) or problem.detail


def _page(status: int, code: str, detail: str) -> Response:
    shown = {
        "heading": _HEADINGS.get(code, HTTPStatus(status).phrase),
        "detail": detail,
        "advice": _ADVICE.get(code) or _ADVICE_BY_STATUS.get(status, ""),
        "code": code,
        "status": status,
    }
    if is_htmx_request():
        # htmx ignores responses with an error status, so this is a 200 that puts a notice above the page.
        headers = {"HX-Retarget": "#notices", "HX-Reswap": "innerHTML", "HX-Push-Url": "false"}
        return Response(render_template("error_notice.html", **shown), headers=headers)
    return Response(render_template("error.html", **shown), status=status)
