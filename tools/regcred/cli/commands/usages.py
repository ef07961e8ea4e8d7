"""`regcred credentials usages`."""

import click

from regcred.cli.lookup import credential_id_of
from regcred.cli.output import notice, print_json, print_table
from regcred.cli.presentation import moment
from regcred.cli.session import CliSession, of_account
from regcred.cli.shell_completion import credential_names
from regcred.cli.usage import usage_row

_HEADERS = ("PROJECT", "WORKLOAD", "SECRET", "LAST USED", "FIRST USED", "GONE SINCE", "IMAGES")


@click.command("usages")
@click.argument("credential", metavar="ID_OR_NAME", shell_complete=credential_names)
@click.option(
    "--limit", type=click.IntRange(1), default=50, show_default=True, metavar="N", help="Maximum number."
)
@of_account
def usages(session: CliSession, /, *, credential: str, limit: int) -> None:
    """Show the workloads that a credential's secret was issued to.

    The most recent comes first. SECRET is the version that was issued last.
    """
    path = session.path("credentials", credential_id_of(session, credential), "usages")
    found = session.api.listing(path, {}, limit=limit)
    if session.as_json:
        print_json(found)
        return
    if not found["items"]:
        notice("no workload has used this credential")
        return
    print_table(
        _HEADERS,
        (
            (
                *usage_row(usage),
                moment(usage["first_used_at"]),
                moment(usage.get("released_at")),  # 0.9.0 has no such field
                usage["images"],
            )
            for usage in found["items"]
        ),
    )
    if found["next_cursor"]:
        notice(f"there are more than {limit} workloads: use --limit")
