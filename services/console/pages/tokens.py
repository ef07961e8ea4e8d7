"""Service tokens: list, create and revoke them. The text of a new token is shown once."""

from collections.abc import Iterator
from http import HTTPStatus

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from chassis.authentication.tokens import TokenScope
from chassis.secret import Secret
from console.forms import Form, day, entries
from console.request_context import api, session
from regcred.apiclient.errors import ApiError, ApiProblem
from regcred.apiclient.paths import segment
from regcred.apiclient.transport import Json

_API = "/v1/service-tokens"
_PAGE = 50
_MOST = 200  # the largest page of the API
SCOPES = {
    TokenScope.CREDENTIALS_READ: "Read credentials",
    TokenScope.CREDENTIALS_WRITE: "Add, change, rotate, restrict, freeze and remove credentials",
    TokenScope.CREDENTIALS_FREEZE: "Freeze credentials in an emergency",
    TokenScope.SECRETS_ISSUE: "Get secrets to pull (the deploy platform)",
    TokenScope.SECRETS_ISSUE_PUSH: "Get secrets to push (builders)",
    TokenScope.AUDIT_READ: "Read the audit log",
    TokenScope.METRICS_READ: "Read the metrics",
    TokenScope.ADMIN: "Everything, including service tokens",
}


def install(pages: Blueprint) -> None:
    pages.get("/tokens")(show_tokens)
    pages.post("/tokens")(create_token)
    pages.get("/tokens/<token_id>/revoke")(revocation_form)
    pages.post("/tokens/<token_id>/revoke")(revoke_token)


def show_tokens() -> str:
    """Show all tokens, and once the text of a token that was just created."""
    current = session()
    new_token, current.new_token = current.new_token, None
    return _page(Form.filled(every="no"), new_token)


def create_token() -> Response | tuple[str, int]:
    """Create a token, and store its text in the session for the page that shows it."""
    form = Form.sent()
    every = form.value("every") == "yes"
    accounts, projects = entries(form.value("accounts")), entries(form.value("projects"))
    if not every and not accounts:
        form.add_error("accounts", "Enter the ids of accounts, or choose every account.")
        return _page(form, None), HTTPStatus.UNPROCESSABLE_ENTITY
    body: Json = {
        "name": form.value("name").strip(),
        "scopes": request.form.getlist("scopes"),
        "accounts": None if every else accounts,
        "projects": projects or None,
        "expires_at": day(form.value("expires_at")),
    }
    try:
        created = api().post_once(_API, body).body
    except ApiError as problem:
        status = form.add_problem(problem)
        return _page(form, None), status
    session().new_token = (created["name"], Secret(created["token"]))
    return redirect(url_for("pages.show_tokens"), 303)


def revocation_form(token_id: str) -> str | tuple[str, int]:
    """Ask for a confirmation."""
    found = next((token for token in _all_tokens() if token["id"] == token_id), None)
    if found is None:
        raise ApiProblem(404, {"code": "not_found", "detail": "No service token has that id."})
    return render_template("revoke.html", token=found)


def revoke_token(token_id: str) -> Response:
    """Revoke the token. Within two seconds, every process refuses it."""
    api().change("DELETE", f"{_API}/{segment(token_id)}", "*")
    flash("The token is revoked. It is refused everywhere within two seconds.")
    return redirect(url_for("pages.show_tokens"), 303)


def _all_tokens() -> Iterator[Json]:
    cursor = None
    while True:
        page = api().get(_API, {"limit": _MOST, "cursor": cursor}).body
        yield from page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return


def _page(form: Form, new_token: tuple[str, Secret] | None) -> str:
    cursor = request.args.get("cursor") or None
    found = api().get(_API, {"limit": _PAGE, "cursor": cursor}).body
    tokens: list[Json] = found["items"]
    return render_template(
        "tokens.html",
        form=form,
        new_token_name=new_token[0] if new_token else None,
        new_token=new_token[1].reveal() if new_token else None,  # the only page that shows a token
        tokens=tokens,
        next_cursor=found["next_cursor"],
        is_later_page=cursor is not None,
        names={token["id"]: token["name"] for token in tokens},
        SCOPES=SCOPES,
    )
