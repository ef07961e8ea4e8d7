"""The health of an account at a glance: how many, what fails, what expires next."""

from flask import Blueprint, render_template

from console.providers import provider_names
from console.request_context import api
from console.wording import STATUS
from regcred.apiclient.paths import account_path

_SHOWN = 8


def install(pages: Blueprint) -> None:
    pages.get("/accounts/<account>")(show_overview)


def show_overview(account: str) -> str:
    """Counts by status and provider, what needs somebody, and the soonest ends; the API counts."""
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
        ending=found["next_to_expire"],
        expired=found["expired"],
        ending_soon=found["expiring_soon"],
        soon_days=found["soon_days"],
        providers=provider_names(api()),
    )
