"""Freeze a credential, so that its secret is issued to nobody, and thaw it."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from console.forms import Form
from console.pages.one_credential import PATH, OneCredential, read
from console.request_context import api
from regcred.apiclient.errors import ApiError
from regcred.apiclient.paths import etag_of


def install(pages: Blueprint) -> None:
    pages.get(f"{PATH}/freeze")(freeze_form)
    pages.post(f"{PATH}/freeze")(freeze_credential)
    pages.post(f"{PATH}/thaw")(thaw_credential)


def freeze_form(account: str, credential_id: UUID) -> str:
    """The form to freeze the credential, or to thaw it if it is frozen."""
    return _page(Form(), read(account, credential_id))


def freeze_credential(account: str, credential_id: UUID) -> Response | tuple[str, int]:
    """Issue the secret to nobody, whatever version the credential has."""
    form, found = Form.sent(), read(account, credential_id)
    try:
        api().change("POST", f"{found.path}/freeze", None, {"reason": form.value("reason").strip()})
    except ApiError as problem:
        status = form.add_problem(problem)
        return _page(form, found), status
    return _shown(found, f"{found.body['name']} is frozen. Its secret is issued to nobody.")


def thaw_credential(account: str, credential_id: UUID) -> Response | tuple[str, int]:
    """Issue the secret again."""
    form, found = Form.sent(), read(account, credential_id)
    etag = etag_of(request.form.get("version", ""))
    try:
        api().change("POST", f"{found.path}/thaw", etag, {"reason": form.value("reason").strip()})
    except ApiError as problem:
        status = form.add_problem(problem)
        return _page(form, found), status
    return _shown(found, f"{found.body['name']} is thawed. Its secret is issued again.")


def _shown(found: OneCredential, message: str) -> Response:
    flash(message)
    account, credential_id = found.body["account_id"], found.body["id"]
    return redirect(url_for("pages.show_credential", account=account, credential_id=credential_id), 303)


def _page(form: Form, found: OneCredential) -> str:
    return render_template("freeze.html", form=form, credential=found.body, version=found.version)
