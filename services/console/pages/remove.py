"""Remove a credential. The user types its name, and a reason if workloads use it."""

from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from console import force
from console.forms import Form
from console.pages.one_credential import PATH, OneCredential, read
from console.request_context import api
from regcred.apiclient.errors import ApiError
from regcred.apiclient.paths import etag_of
from regcred.apiclient.transport import Json

_IN_USE = "The credential is in use. Rotate it instead, or enter a reason to remove it anyway."


def install(pages: Blueprint) -> None:
    pages.get(f"{PATH}/remove")(removal_form)
    pages.post(f"{PATH}/remove")(remove_credential)


def removal_form(account: str, credential_id: UUID) -> str:
    return _page(Form(), read(account, credential_id))


def remove_credential(account: str, credential_id: UUID) -> Response | tuple[str, int]:
    """Remove the credential permanently. `force` is required if it is in use."""
    form, found = Form.sent(), read(account, credential_id)
    name = found.body["name"]
    if form.value("typed").strip().casefold() != name.casefold():
        form.add_error("typed", f"Type the name of the credential: {name}")
    is_confirmed = force.is_confirmed(form)
    if form.summary:
        return _page(form, found, [] if is_confirmed else None), HTTPStatus.UNPROCESSABLE_ENTITY
    etag = etag_of(request.form.get("version", ""))
    try:
        api().change("DELETE", found.path, etag, parameters=force.parameters(form))
    except ApiError as problem:
        users = force.users_of(form, problem, _IN_USE)
        status = problem.status if users is not None else form.add_problem(problem)
        return _page(form, found, users), status
    flash(f"{name} is removed, and its secret destroyed.")
    return redirect(url_for("pages.show_credentials", account=account), 303)


def _page(form: Form, found: OneCredential, users: list[Json] | None = None) -> str:
    """The form. With `users`, which may be empty, the removal has to be forced."""
    return render_template(
        "remove.html",
        form=form,
        credential=found.body,
        version=found.version,
        users=users,
        force=users is not None,
    )
