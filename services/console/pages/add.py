"""Add a credential. The tile of a provider selects the fields. The login can be tested before it is saved."""

from http import HTTPStatus

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from console import secret_input
from console.forms import DETAILS, Form, details, restrictions
from console.providers import providers
from console.request_context import api, is_htmx_request
from regcred.apiclient.errors import ApiError
from regcred.apiclient.paths import account_path
from regcred.apiclient.transport import Json

PATH = "/accounts/<account>/credentials"
# Fields that retain their values when the user chooses another provider. Secrets do not.
_RETAINED = (*DETAILS, "restricted", "projects")


def install(pages: Blueprint) -> None:
    pages.get(f"{PATH}/new")(new_credential)
    pages.post(PATH)(add_credential)


def new_credential(account: str) -> str:  # noqa: ARG001 templates have it from the route
    """Show the form of a provider."""
    retained = {name: request.args.getlist(name) for name in _RETAINED if name in request.args}
    return _page(Form.filled(**{"scope": ["pull"], **retained}), request.args.get("provider", ""))


def add_credential(account: str) -> Response | str | tuple[str, int]:
    """Save the credential, or only test the login (`do=test`)."""
    form = Form.sent()
    body = _body()
    if request.form.get("do") == "test":
        return _test(account, body, form)
    try:
        added = api().post(account_path(account, "credentials"), body, key=form.key).body
    except ApiError as problem:
        status = form.add_problem(problem)
        return _page(form, body["provider"]), status
    flash(f"{added['name']} is saved. It is being verified by a login.")
    return redirect(url_for("pages.show_credential", account=account, credential_id=added["id"]), 303)


def _test(account: str, body: Json, form: Form) -> str | tuple[str, int]:
    status: int = HTTPStatus.OK
    result = None
    try:
        result = api().post_once(account_path(account, "verifications"), body).body
    except ApiError as problem:
        if problem.no_such_route:
            form.add_error(
                None,
                "This server cannot test before saving. Save the credential, and it is verified immediately.",
            )
        else:
            status = form.add_problem(problem)
    if is_htmx_request():
        return render_template("test_result.html", form=form, result=result)
    return _page(form, body["provider"], result), status


def _body() -> Json:
    sent = request.form
    return {
        **details(),
        "provider": sent.get("provider", ""),
        "registry_url": sent.get("registry_url", "").strip() or None,
        "location": sent.get("location") or None,
        "credential": secret_input.credential(),
        "restrictions": restrictions(),
    }


def _page(form: Form, provider_id: str, result: Json | None = None) -> str:
    known = providers(api())
    chosen = next((provider for provider in known if provider["id"] == provider_id), None)
    if chosen and form.value("kind") not in chosen["secret_kinds"]:
        form.values["kind"] = chosen["secret_kinds"][:1]  # the most usual kind comes first
    return render_template("add.html", form=form, tiles=known, provider=chosen, result=result)
