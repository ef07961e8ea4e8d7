"""Edit the details of a credential: name, description, scope, repositories, expiry."""

from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from console import force
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
    """Save the details. The form has the version of the credential that it was created from.

    If workloads would lose the credential, ask for a confirmation first.
    """
    form, found = Form.sent(), read(account, credential_id)
    changed = details()
    if changed["expires_at"] and form.value("expires_at") == form.value("expires_was"):
        del changed["expires_at"]  # the form shows only the date; the time of an unchanged expiry is retained
    if force.is_confirmed(form) and form.summary:
        return _page(form, found, []), HTTPStatus.UNPROCESSABLE_ENTITY
    etag = etag_of(request.form.get("version", ""))
    try:
        api().change("PATCH", found.path, etag, changed, parameters=force.parameters(form))
    except ApiError as problem:
        users = force.users_of(form, problem)
        status = problem.status if users is not None else form.add_problem(problem)
        return _page(form, found, users), status
    flash(f"{changed['name']} is changed.")
    return redirect(url_for("pages.show_credential", account=account, credential_id=credential_id), 303)


def _filled(credential: Json) -> Form:
    expires = date(credential["expires_at"]) if credential["expires_at"] else ""
    return Form.of_details(credential, expires=expires)


def _page(form: Form, found: OneCredential, users: list[Json] | None = None) -> str:
    """The form. With `users`, which may be empty, the change has to be confirmed."""
    return render_template(
        "edit.html",
        form=form,
        credential=found.body,
        version=found.version,
        users=users,
        force=users is not None,
    )
