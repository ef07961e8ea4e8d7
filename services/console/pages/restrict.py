"""Restrict a credential to projects, or allow every project. A loss by workloads that use it is confirmed."""

from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from console import force
from console.forms import Form, restrictions
from console.pages.one_credential import PATH, OneCredential, read
from console.request_context import api
from regcred.apiclient.errors import ApiError
from regcred.apiclient.paths import etag_of
from regcred.apiclient.transport import Json


def install(pages: Blueprint) -> None:
    pages.get(f"{PATH}/restrict")(restriction_form)
    pages.post(f"{PATH}/restrict")(restrict_credential)


def restriction_form(account: str, credential_id: UUID) -> str:
    found = read(account, credential_id)
    current = found.body["restrictions"]
    form = Form.filled(
        restricted="yes" if current["restricted"] else "no", projects="\n".join(current["projects"])
    )
    return _page(form, found)


def restrict_credential(account: str, credential_id: UUID) -> Response | tuple[str, int]:
    """Save the restriction. If workloads would lose the credential, ask for a confirmation first."""
    form, found, wanted = Form.sent(), read(account, credential_id), restrictions()
    if force.is_confirmed(form) and form.summary:
        return _page(form, found, []), HTTPStatus.UNPROCESSABLE_ENTITY
    etag = etag_of(request.form.get("version", ""))
    try:
        api().change("PUT", f"{found.path}/restrictions", etag, wanted, parameters=force.parameters(form))
    except ApiError as problem:
        users = force.users_of(form, problem)
        status = problem.status if users is not None else form.add_problem(problem)
        return _page(form, found, users), status
    flash(_message(found.body["name"], wanted))
    return redirect(url_for("pages.show_credential", account=account, credential_id=credential_id), 303)


def _message(name: str, wanted: Json) -> str:
    if not wanted["restricted"]:
        return f"Every project may use {name}."
    count = len(set(wanted["projects"]))
    if not count:
        return f"No project may use {name}."
    return f"{count} project{'s' if count > 1 else ''} may use {name}."


def _page(form: Form, found: OneCredential, users: list[Json] | None = None) -> str:
    """The form. With `users`, which may be empty, the restriction has to be confirmed."""
    return render_template(
        "restrict.html",
        form=form,
        credential=found.body,
        version=found.version,
        users=users,
        force=users is not None,
    )
