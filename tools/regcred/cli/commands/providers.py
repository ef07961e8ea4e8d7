"""`regcred providers`."""

import click

from regcred.apiclient.transport import Json
from regcred.cli.errors import ProviderUnknown
from regcred.cli.examples import examples
from regcred.cli.output import aligned, print_fields, print_json, print_table
from regcred.cli.session import CliSession, of_no_account
from regcred.cli.shell_completion import provider_ids

_HEADERS = ("ID", "NAME", "REGISTRY", "--registry", "SECRETS", "USERNAME")


@click.command("providers", epilog=examples("regcred providers", "regcred providers gar"))
@click.argument("provider", metavar="[ID]", required=False, shell_complete=provider_ids)
@of_no_account
def providers(session: CliSession, /, *, provider: str | None) -> None:
    """Show what each provider needs.

    With an ID, show all details of that provider.
    """
    found = session.api.get("/v1/providers").body
    if provider is not None:
        _show(session, _one(found["items"], provider))
    elif session.as_json:
        print_json(found)
    else:
        print_table(_HEADERS, map(_row, found["items"]))


def _one(items: list[Json], wanted: str) -> Json:
    for item in items:
        if item["id"] == wanted.lower():
            return item
    known = ", ".join(item["id"] for item in items)
    raise ProviderUnknown(f"there is no provider {wanted!r}; providers: {known}")


def _row(item: Json) -> tuple[object, ...]:
    return (
        item["id"],
        item["name"],
        item["hosts"],
        {"fixed": "-", "optional": "if another", "required": "required"}[item["registry_url"]],
        item["secret_kinds"],
        _username(item["username"]),
    )


def _show(session: CliSession, item: Json) -> None:
    if session.as_json:
        print_json(item)
        return
    locations = [(location["id"], location["host"], location["name"]) for location in item["locations"]]
    fields = [
        ("id", item["id"]),
        ("name", item["name"]),
        ("registry", item["hosts"]),
        ("--registry", {"fixed": "fixed", "optional": "if another"}.get(item["registry_url"], "required")),
        ("--location", "\n".join(aligned(locations))),
        ("--username", f"{_username(item['username'])}\n{item['username']['help']}"),
        ("also known as", item.get("aliases")),
        ("images", item.get("image_path")),
        ("secrets", [_kind(secret) for secret in item.get("secrets", ())] or item["secret_kinds"]),
        ("permission", item["permission"]),
        ("expiry", item.get("expiry")),
        ("help", item["help"]),
        ("notes", "\n".join(item.get("quirks", ()))),
        ("documentation", item["docs_url"]),
    ]
    print_fields((name, value) for name, value in fields if value)


def _kind(secret: Json) -> str:
    fields = ", ".join(field["name"] for field in secret["fields"])
    return f"{secret['kind']} ({fields})"


def _username(rule: Json) -> str:
    values = rule.get("values") or []
    return " or ".join(values) if values else str(rule["label"])
