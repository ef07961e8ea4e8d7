"""Adding a credential: a provider's tile chooses the fields; it is tested, or saved and then verified."""

from http import HTTPStatus

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from console import secret_input
from console.forms import DETAILS, Form, details, restrictions
from console.providers import providers
from console.request_context import api, by_htmx
from regcred.apiclient.errors import ApiError
from regcred.apiclient.paths import account_path
from regcred.apiclient.transport import Json

PATH = "/accounts/<account>/credentials"
# Kept when another provider is chosen; secrets are not among them.
_KEPT = (*DETAILS, "restricted", "projects")


def install(pages: Blueprint) -> None:
    pages.get(f"{PATH}/new")(new_credential)
    pages.post(PATH)(add_credential)


def new_credential(account: str) -> str:  # noqa: ARG001 the template has it from the address
    """The empty form of a provider."""
    kept = {name: request.args.getlist(name) for name in _KEPT if name in request.args}
    return _page(Form.filled(**{"scope": ["pull"], **kept}), request.args.get("provider", ""))


def add_credential(account: str) -> Response | str | tuple[str, int]:
    """Save it, or with `test` only try the login."""
    form = Form.sent()
    body = _body()
    if request.form.get("do") == "test":
        return _test(account, body, form)
    try:
        added = api().post(account_path(account, "credentials"), body, key=form.key).body
    except ApiError as problem:
        status = form.refused(problem)
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
            form.fail(
                None, "This server cannot test before saving. Save the credential: it is verified at once."
            )
        else:
            status = form.refused(problem)
    if by_htmx():
        return render_template("test_result.html", form=form, result=result)
    return _page(form, body["provider"], result), status


def _body() -> Json:
    given = request.form
    return {
        **details(),
        "provider": given.get("provider", ""),
        "registry_url": given.get("registry_url", "").strip() or None,
        "location": given.get("location") or None,
        "credential": secret_input.credential(),
        "restrictions": restrictions(),
    }


def _page(form: Form, provider_id: str, result: Json | None = None) -> str:
    known = providers(api())
    chosen = next((provider for provider in known if provider["id"] == provider_id), None)
    if chosen and form.value("kind") not in chosen["secret_kinds"]:
        form.values["kind"] = chosen["secret_kinds"][:1]  # the usual one comes first
    return render_template("add.html", form=form, tiles=known, provider=chosen, result=result)
