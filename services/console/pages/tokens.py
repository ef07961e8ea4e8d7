"""Service tokens: who may ask regcred, and for what. A new one is shown once."""

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
SCOPES = {
    TokenScope.CREDENTIALS_READ: "Read credentials",
    TokenScope.CREDENTIALS_WRITE: "Add, change, rotate, restrict and remove credentials",
    TokenScope.SECRETS_ISSUE: "Get pull secrets (the deploy platform)",
    TokenScope.AUDIT_READ: "Read the audit log",
    TokenScope.ADMIN: "Everything, including service tokens",
}


def install(pages: Blueprint) -> None:
    pages.get("/tokens")(show_tokens)
    pages.post("/tokens")(make_token)
    pages.get("/tokens/<token_id>/revoke")(revocation)
    pages.post("/tokens/<token_id>/revoke")(revoke_token)


def show_tokens() -> str:
    """All of them, and the one that was just made, this once."""
    held = session()
    made, held.made = held.made, None
    return _page(Form.filled(every="no"), made)


def make_token() -> Response | tuple[str, int]:
    """Make one; it waits in this session for the next page."""
    form = Form.sent()
    every = form.value("every") == "yes"
    accounts, projects = entries(form.value("accounts")), entries(form.value("projects"))
    if not every and not accounts:
        form.fail("accounts", "Name the accounts it is for, or choose every account.")
        return _page(form, None), HTTPStatus.UNPROCESSABLE_ENTITY
    body: Json = {
        "name": form.value("name").strip(),
        "scopes": request.form.getlist("scopes"),
        "accounts": None if every else accounts,
        "projects": projects or None,
        "expires_at": day(form.value("expires_at")),
    }
    try:
        made = api().post_once(_API, body).body
    except ApiError as problem:
        status = form.refused(problem)
        return _page(form, None), status
    session().made = (made["name"], Secret(made["token"]))
    return redirect(url_for("pages.show_tokens"), 303)


def revocation(token_id: str) -> str | tuple[str, int]:
    """Ask once more."""
    found = next((token for token in _tokens() if token["id"] == token_id), None)
    if found is None:
        raise ApiProblem(404, {"code": "not_found", "detail": "No service token has that id."})
    return render_template("revoke.html", token=found)


def revoke_token(token_id: str) -> Response:
    """Nobody gets in with it any more, within two seconds."""
    api().change("DELETE", f"{_API}/{segment(token_id)}", "*")
    flash("The token is revoked. It is refused everywhere within two seconds.")
    return redirect(url_for("pages.show_tokens"), 303)


def _tokens() -> list[Json]:
    items: list[Json] = api().get(_API).body["items"]
    return items


def _page(form: Form, made: tuple[str, Secret] | None) -> str:
    return render_template(
        "tokens.html",
        form=form,
        made_name=made[0] if made else None,
        made=made[1].reveal() if made else None,  # the one place where a person sees a token
        tokens=_tokens(),
        SCOPES=SCOPES,
    )
