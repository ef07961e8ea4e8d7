"""`regcred system`."""

import click

from regcred.cli.examples import examples
from regcred.cli.output import notice, print_fields, print_json, print_table
from regcred.cli.presentation import moment
from regcred.cli.session import CliSession, of_no_account

_CONSUMERS = ("CONSUMER", "POSITION", "LAG EVENTS", "LAG SECONDS", "RETRIES", "DEAD LETTERS")
_DEAD_LETTERS = ("CONSUMER", "POSITION", "TYPE", "ACCOUNT", "SINCE", "ATTEMPTS", "REASON")


@click.command(
    "system",
    epilog=examples(
        "regcred system", "regcred system --json | jq '[.consumers[].lag_events] | max'", title="Examples:"
    ),
)
@of_no_account
def system(session: CliSession, /) -> None:
    """Show the position of each consumer of the log, and the dead letters.

    It needs a token with the scope admin. On the server itself, use `regcred doctor` and
    `regcred deadletters`.
    """
    found = session.api.get("/v1/system").body
    if session.as_json:
        print_json(found)
        return
    log = found["log"]
    print_fields(
        [
            ("version", found["version"]),
            ("log", log["position"]),
            ("published", "no broker" if log["published_position"] is None else log["published_position"]),
            ("unreadable secrets", found["unreadable_secrets"]),
        ]
    )
    click.echo()
    print_table(
        _CONSUMERS,
        [
            (
                one["name"],
                one["position"],
                one["lag_events"],
                round(one["lag_seconds"], 1),
                one["retries"],
                one["dead_letters"],
            )
            for one in found["consumers"]
        ],
    )
    if found["dead_letters"]:
        click.echo()
        print_table(
            _DEAD_LETTERS,
            [
                (
                    one["consumer"],
                    one["position"],
                    one["type"],
                    one["account_id"],
                    moment(one["since"]),
                    one["attempts"],
                    one["reason"],
                )
                for one in found["dead_letters"]
            ],
        )
        notice("retry dead letters with `regcred deadletters redrive` on the server")
