"""What a shell offers when its user presses Tab. What cannot be found out is not offered, in silence.

Everything is imported when it is asked for: commands start without it.
"""

import click
from click.shell_completion import CompletionItem

_SECONDS = 1.5  # that somebody waits for a Tab
_MOST = 50


def credential_names(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Names of the account's credentials that begin so, but for those with a space: no word of a shell's."""
    import httpx2  # noqa: PLC0415 see above

    from regcred.client.api import Api  # noqa: PLC0415
    from regcred.client.errors import ClientError  # noqa: PLC0415
    from regcred.client.session import Session, connection_of  # noqa: PLC0415

    account = context.params.get("account")
    if not account:
        return []
    try:
        where = connection_of(context)
        with Api(where, _nobody, patience=0, timeout=httpx2.Timeout(_SECONDS)) as api:
            wanted = {"name": incomplete or None}
            path = Session(api, account, as_json=False).path("credentials")
            items = api.listing(path, wanted, limit=_MOST)["items"]
    except ClientError:
        return []
    begin = incomplete.casefold()
    return [
        CompletionItem(item["name"], help=item["registry_host"])
        for item in items
        if item["name"].casefold().startswith(begin) and " " not in item["name"]
    ]


def provider_ids(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from shared.registries.catalogue import PROVIDERS  # noqa: PLC0415 see above

    return [CompletionItem(each.id, help=each.name) for each in PROVIDERS if each.id.startswith(incomplete)]


def audit_actions(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """The types of events; importing their classes is what registers them."""
    from shared.contracts import (  # noqa: F401, PLC0415 see above
        credential_events,
        expiry_events,
        issuing_events,
        verification_events,
    )
    from shared.events.registry import EVENTS  # noqa: PLC0415

    names = dict.fromkeys(kind.name for kind in EVENTS.all_types())
    return [name for name in names if name.startswith(incomplete)]


def _nobody(_text: str) -> None:
    """A notice would stand in the middle of what somebody is typing."""
