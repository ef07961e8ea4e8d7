"""The workloads that use a credential, and those that a change would take it from (`--dry-run`)."""

from typing import Any

from regcred.apiclient.response import ApiResponse
from regcred.cli.output import notice, print_json, print_table
from regcred.cli.presentation import moment
from regcred.cli.session import CliSession

_HEADERS = ("PROJECT", "WORKLOAD", "SECRET", "LAST USED")


def removal_impact(session: CliSession, found: ApiResponse) -> ApiResponse:
    """Return the effects of the removal of a credential, without removing it."""
    path = session.path("credentials", found.body["id"])
    return session.api.change("DELETE", path, found.etag, parameters={"dry_run": "true"})


def show_impact(session: CliSession, name: str, impact: ApiResponse) -> None:
    """Print the workloads that would lose the credential."""
    workloads = impact.body["users"]
    if session.as_json:
        print_json(impact.body)
        return
    if not workloads:
        notice(f"no workload would lose {name}; nothing was changed")
        return
    print_table(
        (*_HEADERS, "REPLACED BY"), [(*usage_row(usage), _replacements(usage)) for usage in workloads]
    )
    if impact.body.get("more_users"):
        notice("more workloads use it than are listed; regcred credentials usages lists all of them")
    forced = ", and this would need --force" if impact.body["needs_force"] else ""
    notice(f"these workloads would lose {name}{forced}; nothing was changed")


def _replacements(usage: dict[str, Any]) -> str:
    return ", ".join(usage.get("served_by") or ("none",))


def usage_row(usage: dict[str, Any]) -> tuple[object, ...]:
    workload = usage["workload"]
    return (
        usage["project_id"],
        f"{workload['kind']} {workload['name']}",
        usage["secret_version"],
        moment(usage["last_used_at"]),
    )
