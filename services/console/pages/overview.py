"""The overview of an account: counts, failed credentials, and next expiries."""

from flask import Blueprint, render_template

from console.providers import provider_names
from console.request_context import api
from console.wording import STATUS
from regcred.apiclient.paths import account_path

_SHOWN = 8


def install(pages: Blueprint) -> None:
    pages.get("/accounts/<account>")(show_overview)


def show_overview(account: str) -> str:
    """Show the summary of the API and the first failed credentials."""
    path = account_path(account, "credentials")
    found = api().get(f"{path}/summary").body
    failing = found["by_status"]["failed"]
    failed = api().get(path, {"status": "failed", "limit": _SHOWN}).body["items"] if failing else []
    return render_template(
        "overview.html",
        total=found["total"],
        statuses=[(status, found["by_status"][status]) for status in STATUS],
        by_provider=found["by_provider"].items(),
        failed=failed,
        failed_more=failing > len(failed),
        next_to_expire=found["next_to_expire"],
        expired=found["expired"],
        expiring_soon=found["expiring_soon"],
        soon_days=found["soon_days"],
        providers=provider_names(api()),
    )
