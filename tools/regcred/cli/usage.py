"""Who uses a credential, and would lose it by a change that is only tried."""

from typing import Any

from regcred.apiclient.answer import ApiResponse
from regcred.cli.output import notice, print_json, print_table
from regcred.cli.presentation import moment
from regcred.cli.session import CliSession

_HEADERS = ("PROJECT", "WORKLOAD", "SECRET", "LAST USED")


def ask_removal(session: CliSession, found: ApiResponse) -> ApiResponse:
    """What its removal would come to."""
    path = session.path("credentials", found.body["id"])
    return session.api.change("DELETE", path, found.etag, parameters={"dry_run": "true"})


def show_impact(session: CliSession, name: str, impact: ApiResponse) -> None:
    """Who would lose the credential."""
    users = impact.body["users"]
    if session.as_json:
        print_json(impact.body)
        return
    if not users:
        notice(f"no workload would lose {name}; nothing was changed")
        return
    print_table((*_HEADERS, "SERVED BY"), [(*user_row(user), _instead(user)) for user in users])
    forced = ", and it would need --force" if impact.body["needs_force"] else ""
    notice(f"these would lose {name}{forced}; nothing was changed")


def _instead(user: dict[str, Any]) -> str:
    return ", ".join(user.get("served_by") or ("nothing",))


def user_row(user: dict[str, Any]) -> tuple[object, ...]:
    workload = user["workload"]
    return (
        user["project_id"],
        f"{workload['kind']} {workload['name']}",
        user["secret_version"],
        moment(user["last_used_at"]),
    )
