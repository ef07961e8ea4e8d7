"""Who may use a credential: every project, some, or nobody; who would lose it is shown before it is done."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from console.forms import Form, restrictions
from console.pages.one_credential import PATH, OneCredential, read
from console.request_context import api
from regcred.apiclient.errors import ApiError
from regcred.apiclient.paths import etag_of
from regcred.apiclient.transport import Json

_USERS = 200


def install(pages: Blueprint) -> None:
    pages.get(f"{PATH}/restrict")(restriction)
    pages.post(f"{PATH}/restrict")(restrict_credential)


def restriction(account: str, credential_id: UUID) -> str:
    found = read(account, credential_id)
    now = found.body["restrictions"]
    form = Form.filled(restricted="yes" if now["restricted"] else "no", projects="\n".join(now["projects"]))
    return _page(form, found, [])


def restrict_credential(account: str, credential_id: UUID) -> Response | str | tuple[str, int]:
    """Ask once more where workloads that use it would lose it."""
    form, found, wanted = Form.sent(), read(account, credential_id), restrictions()
    losing = _losing(found, wanted)
    if losing and not form.value("confirmed"):
        return _page(form, found, losing)
    try:
        api().change("PUT", f"{found.path}/restrictions", etag_of(request.form.get("version", "")), wanted)
    except ApiError as problem:
        status = form.refused(problem)
        return _page(form, found, []), status
    flash(_said(found.body["name"], wanted))
    return redirect(url_for("pages.show_credential", account=account, credential_id=credential_id), 303)


def _losing(found: OneCredential, wanted: Json) -> list[Json]:
    """The usages of projects that would not be allowed any more."""
    if not wanted["restricted"]:
        return []
    try:
        usages: list[Json] = api().listing(f"{found.path}/usages", {}, limit=_USERS)["items"]
    except ApiError as problem:
        if problem.no_such_route or problem.code == "insufficient_scope":
            return []
        raise
    return [usage for usage in usages if usage["project_id"] not in wanted["projects"]]


def _said(name: str, wanted: Json) -> str:
    if not wanted["restricted"]:
        return f"Every project may use {name}."
    count = len(set(wanted["projects"]))
    if not count:
        return f"No project may use {name} now."
    return f"{count} project{'s' if count > 1 else ''} may use {name}."


def _page(form: Form, found: OneCredential, losing: list[Json]) -> str:
    return render_template(
        "restrict.html", form=form, credential=found.body, version=found.version, losing=losing
    )
