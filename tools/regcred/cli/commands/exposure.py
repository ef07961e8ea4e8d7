"""`regcred exposure`."""

from pathlib import Path
from typing import Any

import click

from regcred.apiclient.transport import Json
from regcred.cli.examples import examples
from regcred.cli.export import CSV, export
from regcred.cli.moments import moment_option
from regcred.cli.output import notice, print_json, print_table
from regcred.cli.presentation import moment
from regcred.cli.session import CliSession, of_account

_HEADERS = (
    "DONE",
    "CREDENTIAL",
    "REGISTRY",
    "SECRET",
    "STATE",
    "ISSUED",
    "LAST",
    "WORKLOADS",
    "TOKENS",
    "ADDRESSES",
    "ID",
)
_SHOWN = 3


@click.command(
    "exposure",
    epilog=examples(
        "regcred exposure --source 10.0.0.7 --since 7d",
        "regcred exposure --project shop --workload deployment/storefront --to-do",
        "regcred exposure --actor k3Jm81QxZ --csv --output checklist.csv",
        "regcred credentials freeze $(regcred exposure --actor k3Jm81QxZ --ids) --reason leaked",
    ),
)
@moment_option("--since", "since", ago=True, text="Issued from this time on: 24h (ago), or RFC 3339.")
@moment_option("--until", "until", ago=True, text="Issued before this time: 1h (ago), or RFC 3339.")
@click.option("--project", "project_id", metavar="ID", help="Issued to this project.")
@click.option("--workload", metavar="KIND/NAME", help="Issued to this workload.")
@click.option("--actor", metavar="ID", help="Requested with this token.")
@click.option("--source", "source_ip", metavar="ADDRESS", help="Requested from this address.")
@click.option("--to-do", is_flag=True, help="Only secrets that were not replaced since.")
@click.option("--ids", is_flag=True, help="Only the ids of the credentials, each once.")
@click.option("--csv", is_flag=True, help="For spreadsheets.")
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="File for --csv."
)
@of_account
def exposure(
    session: CliSession, /, *, to_do: bool, ids: bool, csv: bool, output: Path | None, **wanted: Any
) -> None:
    """Show which secrets were issued, to whom, and which are still to be replaced.

    A line for each version of a secret, the open ones first. `[x]`: it was rotated, or the credential was
    removed. That the registry refuses the old secret is not known here.
    """
    if [session.as_json, ids, csv].count(True) > 1:
        raise click.UsageError("use only one of --json, --ids and --csv")
    if output and not csv:
        raise click.UsageError("--output needs --csv")
    if to_do:
        wanted["to_do"] = "true"
    if csv:
        export(session, "exposure", wanted, CSV, output)
        return
    found = session.api.listing(session.path("exposure"), wanted, limit=None)
    if session.as_json:
        print_json(found)
        return
    items = sorted(found["items"], key=lambda item: (not item["to_do"], item["credential_name"].lower()))
    if ids:
        for credential_id in dict.fromkeys(item["credential_id"] for item in items):
            click.echo(credential_id)
    elif items:
        print_table(_HEADERS, map(_row, items))
        left = len({item["credential_id"] for item in items if item["to_do"]})
        notice(f"{left} of {len({item['credential_id'] for item in items})} credentials are to be rotated")
    else:
        notice("no secret was issued")
    if sealed := found.get("sealed"):
        names = ", ".join(sealed["segments"])
        notice(
            f"issuances up to position {sealed['up_to']} are archived and not in this list, see"
            f" `regcred audit segments show --action secret.issued`: {names}"
        )


def _row(item: Json) -> tuple[object, ...]:
    workloads = [
        f"{one['project_id']} {one['workload']['kind']}/{one['workload']['name']}"
        for one in item["workloads"]
    ]
    tokens = [actor["name"] or actor["id"] for actor in item["actors"]]
    return (
        "[ ]" if item["to_do"] else "[x]",
        item["credential_name"],
        item["registry_host"],
        item["secret_version"],
        _state(item),
        item["issued"],
        moment(item["last_issued_at"]),
        _brief(workloads, more=item["more_workloads"]),
        _brief(tokens, more=item["more_actors"]),
        _brief(item["source_ips"], more=item["more_source_ips"]),
        item["credential_id"],
    )


def _workload(workload: Json) -> str:
    return f"{workload['kind']}/{workload['name']}"


def _state(item: Json) -> str:
    state = f"rotated, now {item['current_version']}" if item["state"] == "rotated" else item["state"]
    return f"{state}, frozen" if item["frozen"] else str(state)


def _brief(texts: list[str], *, more: bool) -> str:
    rest = len(texts) - _SHOWN
    if rest <= 0:
        return ", ".join(texts)
    return f"{', '.join(texts[:_SHOWN])} and {'more than ' if more else ''}{rest} more"
