"""Restrict a credential to projects, or allow every project. Workloads that would lose it are shown first."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from console.forms import Form, restrictions
from console.pages.one_credential import PATH, OneCredential, read
from console.request_context import api
from regcred.apiclient.errors import ApiError
from regcred.apiclient.paths import etag_of
from regcred.apiclient.transport import Json

_MAX_USAGES = 200


def install(pages: Blueprint) -> None:
    pages.get(f"{PATH}/restrict")(restriction_form)
    pages.post(f"{PATH}/restrict")(restrict_credential)


def restriction_form(account: str, credential_id: UUID) -> str:
    found = read(account, credential_id)
    current = found.body["restrictions"]
    form = Form.filled(
        restricted="yes" if current["restricted"] else "no", projects="\n".join(current["projects"])
    )
    return _page(form, found, [])


def restrict_credential(account: str, credential_id: UUID) -> Response | str | tuple[str, int]:
    """Save the restriction. If workloads would lose the credential, ask for a confirmation first."""
    form, found, wanted = Form.sent(), read(account, credential_id), restrictions()
    losing = _losing(found, wanted)
    if losing and not form.value("confirmed"):
        return _page(form, found, losing)
    try:
        api().change("PUT", f"{found.path}/restrictions", etag_of(request.form.get("version", "")), wanted)
    except ApiError as problem:
        status = form.add_problem(problem)
        return _page(form, found, []), status
    flash(_message(found.body["name"], wanted))
    return redirect(url_for("pages.show_credential", account=account, credential_id=credential_id), 303)


def _losing(found: OneCredential, wanted: Json) -> list[Json]:
    """The usages of projects that would no longer be allowed. It is empty if they cannot be listed."""
    if not wanted["restricted"]:
        return []
    try:
        usages: list[Json] = api().listing(f"{found.path}/usages", {}, limit=_MAX_USAGES)["items"]
    except ApiError as problem:
        if problem.no_such_route or problem.code == "insufficient_scope":
            return []
        raise
    return [usage for usage in usages if usage["project_id"] not in wanted["projects"]]


def _message(name: str, wanted: Json) -> str:
    if not wanted["restricted"]:
        return f"Every project may use {name}."
    count = len(set(wanted["projects"]))
    if not count:
        return f"No project may use {name}."
    return f"{count} project{'s' if count > 1 else ''} may use {name}."


def _page(form: Form, found: OneCredential, losing: list[Json]) -> str:
    return render_template(
        "restrict.html", form=form, credential=found.body, version=found.version, losing=losing
    )
