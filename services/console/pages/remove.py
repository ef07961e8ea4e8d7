"""Remove a credential. The user types its name, and a reason if workloads use it."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from console.forms import Form
from console.pages.one_credential import PATH, OneCredential, read
from console.request_context import api
from regcred.apiclient.errors import ApiError
from regcred.apiclient.paths import etag_of


def install(pages: Blueprint) -> None:
    pages.get(f"{PATH}/remove")(removal_form)
    pages.post(f"{PATH}/remove")(remove_credential)


def removal_form(account: str, credential_id: UUID) -> str:
    return _page(Form(), read(account, credential_id), [])


def remove_credential(account: str, credential_id: UUID) -> Response | tuple[str, int]:
    """Remove the credential permanently. `force` is required if it is in use."""
    form, found = Form.sent(), read(account, credential_id)
    name, reason = found.body["name"], form.value("reason").strip()
    force = form.value("force") == "yes"
    if form.value("typed").strip().casefold() != name.casefold():
        form.add_error("typed", f"Type the name of the credential: {name}")
    if force and not reason:
        form.add_error(
            "reason", "Enter a reason for removing a credential that is in use. The audit log records it."
        )
    if form.summary:
        return _page(form, found, [], force=force), HTTPStatus.UNPROCESSABLE_ENTITY
    parameters = {"reason": reason or None, "force": "true" if force else None}
    try:
        api().change("DELETE", found.path, etag_of(request.form.get("version", "")), parameters=parameters)
    except ApiError as problem:
        if problem.code == "credential_in_use":
            form.add_error(
                None, "The credential is in use. Rotate it instead, or enter a reason to remove it anyway."
            )
            return _page(form, found, list(problem.users), force=True), problem.status
        status = form.add_problem(problem)
        return _page(form, found, []), status
    flash(f"{name} is removed, and its secret destroyed.")
    return redirect(url_for("pages.show_credentials", account=account), 303)


def _page(form: Form, found: OneCredential, users: list[dict[str, Any]], *, force: bool = False) -> str:
    return render_template(
        "remove.html", form=form, credential=found.body, version=found.version, users=users, force=force
    )
