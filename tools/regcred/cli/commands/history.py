"""`regcred credentials history`."""

import click

from regcred.cli.lookup import credential_id_of
from regcred.cli.output import notice, print_json, print_table
from regcred.cli.presentation import actor, event_details, moment, verdict
from regcred.cli.session import CliSession, of_account
from regcred.cli.shell_completion import credential_names

_EVENTS = ("TIME", "ACTION", "OUTCOME", "ACTOR", "DETAILS")
_VERIFICATIONS = ("CHECKED", "VERIFICATION", "TRIGGER", "SECRET", "MS", "MEANING")


@click.command("history")
@click.argument("credential", metavar="ID_OR_NAME", shell_complete=credential_names)
@click.option("--verifications", is_flag=True, help="Only the verifications.")
@click.option(
    "--limit", type=click.IntRange(1), default=50, show_default=True, metavar="N", help="Maximum number."
)
@of_account
def history(session: CliSession, /, *, credential: str, verifications: bool, limit: int) -> None:
    """Show the audit trail of a credential.

    The newest comes first. A removed credential still has its events: use its id
    (`regcred audit --action credential.removed`).
    """
    what = "verifications" if verifications else "events"
    path = session.path("credentials", credential_id_of(session, credential), what)
    found = session.api.listing(path, {}, limit=limit)
    if session.as_json:
        print_json(found)
        return
    if not found["items"]:
        notice(f"there are no {what}")
        return
    if verifications:
        print_table(
            _VERIFICATIONS,
            (
                (
                    moment(item["checked_at"]),
                    verdict(item),
                    item["trigger"],
                    item["secret_version"],
                    item["duration_ms"],
                    item["detail"],
                )
                for item in found["items"]
            ),
        )
    else:
        print_table(
            _EVENTS,
            (
                (moment(item["time"]), item["action"], item["outcome"], actor(item), event_details(item))
                for item in found["items"]
            ),
        )
    if found["next_cursor"]:
        notice(f"there are more than {limit} {what}: use --limit")
