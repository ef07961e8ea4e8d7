"""The overview of an account: counts, failed and unreachable credentials, and next expiries."""

from flask import Blueprint, render_template

from console.providers import provider_names
from console.request_context import api
from console.wording import STATUS
from regcred.apiclient.paths import account_path
from regcred.apiclient.transport import Json

_SHOWN = 8
_NEED_ATTENTION = ("failed", "unreachable")  # in the order in which they are shown


def install(pages: Blueprint) -> None:
    pages.get("/accounts/<account>")(show_overview)


def show_overview(account: str) -> str:
    """Show the summary of the API and the first credentials that need attention."""
    path = account_path(account, "credentials")
    found = api().get(f"{path}/summary").body
    counts = {status: found["by_status"][status] for status in _NEED_ATTENTION if found["by_status"][status]}
    need_attention: list[Json] = []
    for status in counts:
        if left := _SHOWN - len(need_attention):
            need_attention += api().get(path, {"status": status, "limit": left}).body["items"]
    return render_template(
        "overview.html",
        total=found["total"],
        statuses=[(status, found["by_status"][status]) for status in STATUS],
        by_provider=found["by_provider"].items(),
        need_attention=need_attention,
        not_all_shown=list(counts) if sum(counts.values()) > len(need_attention) else [],
        next_to_expire=found["next_to_expire"],
        expired=found["expired"],
        expiring_soon=found["expiring_soon"],
        soon_days=found["soon_days"],
        providers=provider_names(api()),
    )
