"""The audit log: cells link to filters, changes show the values before and after, and exports are files."""

from collections.abc import Iterator

from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from console.request_context import api, link, query_values
from regcred.apiclient.paths import account_path

PATH = "/accounts/<account>/audit"
FILTERS = (
    "since",
    "until",
    "action",
    "outcome",
    "actor",
    "credential_id",
    "project_id",
    "registry_host",
    "image",
    "request_id",
)
_PAGE = 50
_FORMS = {"csv": "text/csv", "ndjson": "application/x-ndjson"}
_DAY = len("2026-11-24")


def install(pages: Blueprint) -> None:
    pages.get(PATH)(show_audit)
    pages.get(f"{PATH}.csv", defaults={"form": "csv"})(export_audit)
    pages.get(f"{PATH}.ndjson", defaults={"form": "ndjson"})(export_audit)


def show_audit(account: str) -> AnyResponse | str:
    """Show a page of the audit log, the newest entries first."""
    wanted = query_values(*FILTERS)
    if len(wanted) < sum(1 for name in FILTERS if name in request.args):
        return redirect(link(**{name: wanted.get(name) for name in FILTERS}), 303)
    cursor = request.args.get("cursor") or None
    parameters = {**moments(wanted), "limit": _PAGE, "cursor": cursor}
    page = api().get(account_path(account, "audit-events"), parameters).body
    return render_template(
        "audit.html",
        items=page["items"],
        next_cursor=page["next_cursor"],
        is_later_page=cursor is not None,
        wanted=wanted,
    )


def export_audit(account: str, form: str) -> Response:
    """Export all entries that match the filters, as a file of any length."""
    return export(account, "audit-events", moments(query_values(*FILTERS)), form)


def export(account: str, below: str, parameters: dict[str, str], form: str) -> Response:
    """Pass on what the API has of the account at `below` as a file of any length."""
    lines = _lines(account_path(account, below), parameters, _FORMS[form])
    first = next(lines, b"")  # an error of the API is raised here, and shown as a page

    def content() -> Iterator[bytes]:
        yield first
        yield from lines

    name = "audit" if below == "audit-events" else below
    return Response(
        content(),
        content_type=f"{_FORMS[form]}; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}-{account}.{form}"'},
    )


def _lines(path: str, parameters: dict[str, str], accept: str) -> Iterator[bytes]:
    with api().stream(path, parameters, accept=accept) as stream:
        yield from stream.chunks


def moments(wanted: dict[str, str]) -> dict[str, str]:
    """The filters for the API, with each date as its beginning in UTC."""
    return {
        name: f"{value}T00:00:00Z" if name in {"since", "until"} and len(value) == _DAY else value
        for name, value in wanted.items()
    }
