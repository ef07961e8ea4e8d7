"""The page of a credential: details, verification history, activity, and the workloads that use it."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from console.forms import sentence
from console.pages.one_credential import PATH, OneCredential, read
from console.providers import provider_of
from console.request_context import api, is_htmx_request
from regcred.apiclient.errors import ApiError
from regcred.apiclient.paths import account_path
from regcred.apiclient.transport import Json

_SHOWN = 10
# While a verification runs, htmx requests the result this many times: often at first, then less often.
_MAX_POLLS = 90


def install(pages: Blueprint) -> None:
    pages.get(PATH)(show_credential)
    pages.get(f"{PATH}/verification")(show_verification)
    pages.post(f"{PATH}/verify")(verify_credential)


def show_credential(account: str, credential_id: UUID) -> str:
    found = read(account, credential_id)
    verifications = _verifications(found)
    return render_template(
        "credential.html",
        credential=found.body,
        verifications=verifications,
        latest=_latest(found.body, verifications),
        events=_if_allowed(found, "events"),
        usages=_if_allowed(found, "usages"),
        provider=provider_of(api(), found.body["provider"]),
        polls=0,
    )


def show_verification(account: str, credential_id: UUID) -> Response | str:
    """Show the part of the page that changes while a verification runs."""
    if not is_htmx_request():
        return redirect(url_for("pages.show_credential", account=account, credential_id=credential_id), 303)
    found = read(account, credential_id)
    polls = request.args.get("polls", 0, int)
    return render_template(
        "verification.html",
        credential=found.body,
        latest=_latest(found.body, _verifications(found)),
        polls=min(max(polls, 0), _MAX_POLLS) + 1,
    )


def verify_credential(account: str, credential_id: UUID) -> Response:
    """Verify the credential again, and probe an image if the user entered one."""
    image = request.form.get("image", "").strip()
    path = account_path(account, "credentials", str(credential_id), "verifications")
    try:
        api().post_once(path, {"image": image} if image else None)
    except ApiError as problem:
        if not problem.errors:
            raise
        flash(sentence(problem.errors[0].detail))
    else:
        flash("The credential is being verified again.")
    return redirect(url_for("pages.show_credential", account=account, credential_id=credential_id), 303)


def _verifications(found: OneCredential) -> list[Json]:
    items: list[Json] = api().get(f"{found.path}/verifications", {"limit": _SHOWN}).body["items"]
    return items


def _latest(credential: Json, verifications: list[Json]) -> Json | None:
    """The verification that the current state of the credential is from."""
    checked_at = credential["verification"]["checked_at"]
    return next((item for item in verifications if item["checked_at"] == checked_at), None)


def _if_allowed(found: OneCredential, what: str) -> list[Json] | None:
    """The first items of a list; `None` if the token lacks the scope or the server lacks the route."""
    try:
        items: list[Json] = api().get(f"{found.path}/{what}", {"limit": _SHOWN}).body["items"]
    except ApiError as problem:
        if problem.no_such_route or problem.code == "insufficient_scope":
            return None
        raise
    return items
