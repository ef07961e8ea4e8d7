"""Roll back a rotation: restore the former secret with its username, registry and expiry."""

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


def install(pages: Blueprint) -> None:
    pages.get(f"{PATH}/roll-back")(rollback_form)
    pages.post(f"{PATH}/roll-back")(roll_back)


def rollback_form(account: str, credential_id: UUID) -> str:
    return _page(Form(), read(account, credential_id))


def roll_back(account: str, credential_id: UUID) -> Response | tuple[str, int]:
    """Restore the former secret. If workloads would lose the credential, ask for a confirmation first."""
    form, found = Form.sent(), read(account, credential_id)
    if force.is_confirmed(form) and form.summary:
        return _page(form, found, []), HTTPStatus.UNPROCESSABLE_ENTITY
    etag = etag_of(request.form.get("version", ""))
    path = f"{found.path}/secret/rollback"
    try:
        api().change("POST", path, etag, {}, parameters=force.parameters(form))
    except ApiError as problem:
        users = force.users_of(form, problem)
        status = problem.status if users is not None else form.add_problem(problem)
        return _page(form, found, users), status
    flash("The former secret is restored. It is being verified by a login.")
    return redirect(url_for("pages.show_credential", account=account, credential_id=credential_id), 303)


def _page(form: Form, found: OneCredential, users: list[Json] | None = None) -> str:
    """The form. With `users`, which may be empty, the rollback has to be confirmed."""
    return render_template(
        "roll_back.html",
        form=form,
        credential=found.body,
        version=found.version,
        users=users,
        force=users is not None,
    )
