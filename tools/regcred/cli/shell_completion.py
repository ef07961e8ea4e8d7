"""Completion of arguments in a shell. If the API does not respond, it offers nothing and shows no error."""

import click
from click.shell_completion import CompletionItem

from regcred.apiclient.errors import ClientError
from regcred.apiclient.paths import account_path
from regcred.cli.audit_actions import AUDIT_ACTIONS
from regcred.cli.session import connect, connection_of

_SECONDS = 1.5  # limit of a request, because the user waits at the prompt
_MAX_NAMES = 50


def credential_names(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Names of credentials that start with `incomplete`. Names with a space are skipped."""
    account = context.params.get("account")
    if not account:
        return []
    try:
        with connect(connection_of(context), seconds=_SECONDS) as api:
            wanted = {"name": incomplete or None}
            items = api.listing(account_path(account, "credentials"), wanted, limit=_MAX_NAMES)["items"]
    except ClientError:
        return []
    start = incomplete.casefold()
    return [
        CompletionItem(item["name"], help=item["registry_host"])
        for item in items
        if item["name"].casefold().startswith(start) and " " not in item["name"]
    ]


def provider_ids(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Ids of the providers."""
    try:
        with connect(connection_of(context), seconds=_SECONDS) as api:
            items = api.get("/v1/providers").body["items"]
    except ClientError:
        return []
    return [
        CompletionItem(item["id"], help=item["name"]) for item in items if item["id"].startswith(incomplete)
    ]


def audit_actions(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """The types of events."""
    return [name for name in AUDIT_ACTIONS if name.startswith(incomplete)]
