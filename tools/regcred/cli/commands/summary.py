"""`regcred credentials summary`."""

import click

from regcred.apiclient.transport import Json
from regcred.cli.examples import examples
from regcred.cli.output import print_fields, print_json, print_table
from regcred.cli.presentation import moment
from regcred.cli.session import CliSession, of_account


@click.command("summary", epilog=examples("regcred credentials summary", title="Example:"))
@of_account
def summary(session: CliSession, /) -> None:
    """Count the credentials of the account by health and provider, and list the next expiries."""
    found = session.api.get(session.path("credentials", "summary")).body
    if session.as_json:
        print_json(found)
        return
    print_fields(_fields(found))
    if found["next_to_expire"]:
        click.echo()
        print_table(
            ("EXPIRES", "NAME", "REGISTRY"),
            [
                (moment(one["expires_at"]), one["name"], one["registry_host"])
                for one in found["next_to_expire"]
            ],
        )


def _fields(found: Json) -> list[tuple[str, object]]:
    return [
        ("credentials", found["total"]),
        *((status, count) for status, count in found["by_status"].items()),
        ("expired", found["expired"]),
        (f"expire within {found['soon_days']} days", found["expiring_soon"]),
        ("providers", [f"{provider} {count}" for provider, count in found["by_provider"].items()]),
    ]
