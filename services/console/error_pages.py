"""The one place where what went wrong becomes a page, with the request's id and what to do."""

from http import HTTPStatus

import structlog
from flask import Flask, Response, flash, g, render_template
from flask import session as cookie
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from console.request_context import REFERENCE, FormNotOurs, by_htmx, to_sign_in
from console.sessions import Sessions
from regcred.apiclient.errors import ApiError

log = structlog.get_logger()

_HEADINGS = {
    "credential_not_found": "There is no such credential",
    "insufficient_scope": "Your token may not do this",
    "account_forbidden": "Your token is for other accounts",
    "project_forbidden": "Your token is for certain projects",
    "read_model_behind": "Saved, but not visible yet",
    "stale_version": "Changed in the meantime",
    "no_answer": "regcred does not answer",
    "answer_lost": "The answer was lost",
    "unexpected_answer": "The answer is not from regcred",
}
_ADVICE = {
    "credential_not_found": "It may have been removed. The audit log still knows it.",
    "insufficient_scope": "Sign in with a token that has the scope, or ask an administrator for one.",
    "account_forbidden": "Choose an account that the token is good for.",
    "project_forbidden": "The console needs a token that is not limited to projects.",
    "read_model_behind": "Your change is saved and will be shown in a moment. Reload this page.",
    "no_answer": "Check that the API runs and that REGCRED_API_URL is right.",
}
_GENERAL = {
    403: "You may not do this.",
    404: "Check the address, or go to the credentials of the account.",
    413: "What was sent is too large.",
    503: "Reload this page in a moment.",
    500: "Give the request id to the operator of regcred, who can find the request in the log.",
}


def install(app: Flask, sessions: Sessions) -> None:
    """Answer every error of this application with a page."""

    @app.errorhandler(ApiError)
    def _problem(problem: ApiError) -> AnyResponse:
        if problem.status == HTTPStatus.UNAUTHORIZED:
            sessions.end(cookie.get(REFERENCE))
            cookie.clear()
            flash("Your token is no longer valid. Sign in again.")
            return to_sign_in()
        response = _page(problem.status, problem.code, problem.detail)
        if problem.retry_after is not None:
            response.headers["Retry-After"] = str(problem.retry_after)
        return response

    @app.errorhandler(FormNotOurs)
    def _not_ours(_error: FormNotOurs) -> Response:
        detail = "This form was not made for this browser, or its cookie is gone. Reload the page."
        return _page(403, "form_not_ours", detail)

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        status = HTTPStatus(error.code or 500)
        return _page(status, status.name.lower(), "")

    @app.errorhandler(Exception)
    def _unexpected(error: Exception) -> Response:
        log.error("page_failed", error=type(error).__name__, request_id=g.get("request_id"), exc_info=error)
        return _page(500, "internal_error", "Something is wrong on our side.")


def _page(status: int, code: str, detail: str) -> Response:
    shown = {
        "heading": _HEADINGS.get(code, HTTPStatus(status).phrase),
        "detail": detail,
        "advice": _ADVICE.get(code) or _GENERAL.get(status, ""),
        "code": code,
        "status": status,
    }
    if by_htmx():
        # htmx leaves out what is no success: a line above the page tells of it.
        headers = {"HX-Retarget": "#notices", "HX-Reswap": "innerHTML", "HX-Push-Url": "false"}
        return Response(render_template("error_notice.html", **shown), headers=headers)
    return Response(render_template("error.html", **shown), status=status)
