"""Edit the details of a credential: name, description, scope, repositories, expiry."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from console.forms import Form, details
from console.pages.one_credential import PATH, OneCredential, read
from console.request_context import api
from console.wording import date
from regcred.apiclient.errors import ApiError
from regcred.apiclient.paths import etag_of
from regcred.apiclient.transport import Json


def install(pages: Blueprint) -> None:
    pages.get(f"{PATH}/edit")(edit_credential)
    pages.post(f"{PATH}/edit")(change_credential)


def edit_credential(account: str, credential_id: UUID) -> str:
    found = read(account, credential_id)
    return _page(_filled(found.body), found)


def change_credential(account: str, credential_id: UUID) -> Response | tuple[str, int]:
    """Save the details. The form has the version of the credential that it was created from."""
    form, found = Form.sent(), read(account, credential_id)
    changed = details()
    if changed["expires_at"] and form.value("expires_at") == form.value("expires_was"):
        del changed["expires_at"]  # the form shows only the date; the time of an unchanged expiry is retained
    try:
        api().change("PATCH", found.path, etag_of(request.form.get("version", "")), changed)
    except ApiError as problem:
        status = form.add_problem(problem)
        return _page(form, found), status
    flash(f"{changed['name']} is changed.")
    return redirect(url_for("pages.show_credential", account=account, credential_id=credential_id), 303)


def _filled(credential: Json) -> Form:
    expires = date(credential["expires_at"]) if credential["expires_at"] else ""
    return Form.of_details(credential, expires=expires)


def _page(form: Form, found: OneCredential) -> str:
    return render_template("edit.html", form=form, credential=found.body, version=found.version)
