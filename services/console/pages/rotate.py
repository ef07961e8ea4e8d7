"""Rotate a credential: save a new secret, and with it a new username if it changes."""

from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from console import force, secret_input
from console.forms import Form, day
from console.pages.one_credential import PATH, OneCredential, read
from console.providers import provider_of
from console.request_context import api
from regcred.apiclient.errors import ApiError
from regcred.apiclient.paths import etag_of
from regcred.apiclient.transport import Json


def install(pages: Blueprint) -> None:
    pages.get(f"{PATH}/rotate")(rotation_form)
    pages.post(f"{PATH}/rotate")(rotate_credential)


def rotation_form(account: str, credential_id: UUID) -> str:
    found = read(account, credential_id)
    return _page(Form.filled(kind=_likely_kind(found.body), username=found.body["username"]), found)


def rotate_credential(account: str, credential_id: UUID) -> Response | tuple[str, int]:
    """Save the new secret, and redirect to the page that shows its verification.

    If workloads would lose the credential, ask for a confirmation first. The secret is then entered again.
    """
    form, found = Form.sent(), read(account, credential_id)
    body: Json = {
        "credential": secret_input.credential(),
        "expires_at": day(form.value("expires_at")),
        "verify": "required" if form.value("only_if_verified") else "afterwards",
    }
    if force.is_confirmed(form) and form.summary:
        return _page(form, found, []), HTTPStatus.UNPROCESSABLE_ENTITY
    etag = etag_of(request.form.get("version", ""))
    try:
        api().change("PUT", f"{found.path}/secret", etag, body, force.parameters(form))
    except ApiError as problem:
        users = force.users_of(form, problem)
        status = problem.status if users is not None else form.add_problem(problem)
        return _page(form, found, users), status
    if form.value("only_if_verified"):
        flash("The new secret is being verified by a login. Until then the credential has the former one.")
    else:
        flash("The new secret is saved. It is being verified by a login.")
    return redirect(url_for("pages.show_credential", account=account, credential_id=credential_id), 303)


def _likely_kind(credential: Json) -> str:
    """The kind that the form preselects. The API does not return the kind of the old secret."""
    if credential["username"] == "_json_key":  # the username of every key file
        return "keyfile"
    provider = provider_of(api(), credential["provider"])
    kinds = [kind for kind in provider["secret_kinds"] if kind != "keyfile"] if provider else []
    return str(kinds[0]) if kinds else "username_password"


def _page(form: Form, found: OneCredential, users: list[Json] | None = None) -> str:
    """The form. With `users`, which may be empty, the rotation has to be confirmed."""
    provider = provider_of(api(), found.body["provider"])
    return render_template(
        "rotate.html",
        form=form,
        credential=found.body,
        version=found.version,
        provider=provider,
        users=users,
        force=users is not None,
    )
