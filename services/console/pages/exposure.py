"""The exposure report: which secrets were issued, to whom, and which are still to be replaced."""

from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from console.pages.audit import export, moments
from console.request_context import api, link, query_values
from regcred.apiclient.paths import account_path

PATH = "/accounts/<account>/exposure"
FILTERS = ("since", "until", "project_id", "workload", "actor", "source_ip", "to_do")
_PAGE = 200


def install(pages: Blueprint) -> None:
    pages.get(PATH)(show_exposure)
    pages.get(f"{PATH}.csv")(export_exposure)


def show_exposure(account: str) -> AnyResponse | str:
    """Show a page of the report, what is to be done first."""
    wanted = query_values(*FILTERS)
    if len(wanted) < sum(1 for name in FILTERS if name in request.args):
        return redirect(link(**{name: wanted.get(name) for name in FILTERS}), 303)
    cursor = request.args.get("cursor") or None
    parameters = {**moments(wanted), "limit": _PAGE, "cursor": cursor}
    page = api().get(account_path(account, "exposure"), parameters).body
    return render_template(
        "exposure.html",
        items=sorted(page["items"], key=lambda item: (not item["to_do"], item["credential_name"].lower())),
        next_cursor=page["next_cursor"],
        is_later_page=cursor is not None,
        sealed=page["sealed"],
        wanted=wanted,
    )


def export_exposure(account: str) -> Response:
    """Export the whole report as CSV."""
    return export(account, "exposure", moments(query_values(*FILTERS)), "csv")
