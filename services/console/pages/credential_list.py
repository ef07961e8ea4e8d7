"""The credentials of an account, with the filters in the URL."""

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response

from console.providers import provider_names
from console.request_context import api, link, query_values
from regcred.apiclient.paths import account_path

PATH = "/accounts/<account>/credentials"
FILTERS = ("name", "provider", "status", "registry_host", "project")
_PAGE = 50


def install(pages: Blueprint) -> None:
    pages.get(PATH)(show_credentials)


def show_credentials(account: str) -> Response | str:
    """Show a page of the list. A URL with empty filters is redirected to a short one."""
    wanted = query_values(*FILTERS)
    if len(wanted) < sum(1 for name in FILTERS if name in request.args):
        return redirect(link(**{name: wanted.get(name) for name in FILTERS}), 303)
    cursor = request.args.get("cursor") or None
    page = api().get(account_path(account, "credentials"), {**wanted, "limit": _PAGE, "cursor": cursor}).body
    return render_template(
        "credentials.html",
        items=page["items"],
        next_cursor=page["next_cursor"],
        is_later_page=cursor is not None,
        wanted=wanted,
        providers=provider_names(api()),
    )
