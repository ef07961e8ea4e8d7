"""`regcred release-workload`."""

from typing import Any

import click

from regcred.apiclient.transport import Json
from regcred.cli.examples import examples
from regcred.cli.output import notice, print_json, print_table
from regcred.cli.presentation import moment
from regcred.cli.session import CliSession, of_account

_HEADERS = ("CREDENTIAL", "WORKLOAD", "SECRET", "LAST USED")


@click.command(
    "release-workload",
    epilog=examples(
        "regcred release-workload deployment/storefront --project shop --reason 'scaled away'",
        "regcred release-workload --project shop --whole-project",
        "regcred release-workload --project shop --whole-project --dry-run",
    ),
)
@click.argument("workload", metavar="[KIND/NAME]", required=False)
@click.option("--project", "project_id", required=True, metavar="ID", help="The project.")
@click.option("--whole-project", is_flag=True, help="In place of a workload: all of the project.")
@click.option("--reason", metavar="TEXT", help="For the audit trail.")
@click.option("--dry-run", is_flag=True, help="Show what would be released.")
@of_account
def release_workload(
    session: CliSession,
    /,
    *,
    workload: str | None,
    project_id: str,
    whole_project: bool,
    reason: str | None,
    dry_run: bool,
) -> None:
    """Say that a workload or a whole project is gone, so that it prevents no change of a credential.

    It counts as a user of a credential again when it gets a pull secret. Secrets that it has stay valid at
    the registry.
    """
    if (workload is None) != whole_project:
        raise click.UsageError("give either a workload or --whole-project")
    body: Json = {"project_id": project_id, "whole_project": whole_project, "reason": reason}
    if workload is not None:
        kind, slash, name = workload.partition("/")
        if not (kind and slash and name):
            raise click.BadParameter(
                "must be a kind and a name, such as deployment/storefront", param_hint="KIND/NAME"
            )
        body["workload"] = {"kind": kind, "name": name}
    found = _released(session, body, dry_run=dry_run)
    released: list[Any] = found["released"]
    while found["more_released"] and not dry_run:
        found = _released(session, body, dry_run=False)
        released += found["released"]
    if session.as_json:
        print_json({**found, "released": released})
        return
    if released:
        print_table(_HEADERS, map(_row, released))
    would = "would be" if dry_run else "are"
    further = ", and more" if found["more_released"] else ""
    notice(f"{len(released)} usages{further} {would} released")


def _released(session: CliSession, body: Json, *, dry_run: bool) -> Json:
    parameters = {"dry_run": "true" if dry_run else None}
    answer: Json = session.api.change("POST", session.path("workload-releases"), None, body, parameters).body
    return answer


def _row(usage: Json) -> tuple[object, ...]:
    workload = usage["workload"]
    return (
        usage["credential_id"],
        f"{workload['kind']} {workload['name']}",
        usage["secret_version"],
        moment(usage["last_used_at"]),
    )
